-- The destinations with the most unanswered attempts from allowed ports: no filter by port explains those.
select dst, dst_port, count(*) as attempts,
       count(case when answer = 'unanswered' and port_allowed then 1 end) as unanswered_inside,
       count(case when answer = 'unanswered' and not port_allowed then 1 end) as unanswered_outside
from attempts
group by dst, dst_port
order by unanswered_inside desc, unanswered_outside desc, dst, dst_port
limit 20
