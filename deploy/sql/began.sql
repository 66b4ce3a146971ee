-- When failures began: in each cluster, the first unanswered attempt from a port outside the allowed ones, and the last answered one.
select cluster, min(case when answer = 'unanswered' then start_time end) as first_unanswered,
       max(case when answer = 'answered' then start_time end) as last_answered,
       count(case when answer = 'unanswered' then 1 end) as unanswered
from attempts
where translated and not port_allowed
group by cluster
order by cluster
