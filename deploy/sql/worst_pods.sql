-- The pods with the most unanswered attempts, and how many of those left from a port outside the allowed ones.
select cluster, node, namespace, pod, count(*) as attempts,
       count(case when answer = 'unanswered' then 1 end) as unanswered,
       count(case when answer = 'unanswered' and not port_allowed then 1 end) as unanswered_outside,
       sum(retransmits) as retransmits
from attempts
where pod is not null
group by cluster, node, namespace, pod
order by unanswered desc, cluster, node, namespace, pod
limit 20
