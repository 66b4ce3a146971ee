-- Which nodes have a filter: the share of answered attempts inside and outside the allowed ports.
-- A filter that begins at another port than the allowed ones shows as two shares that are neither 0 nor 1: see ranges.sql.
select cluster, node,
       count(case when port_allowed then 1 end) as inside,
       round(avg(case when port_allowed then case when answer = 'answered' then 1e0 else 0e0 end end), 4) as answered_inside,
       count(case when not port_allowed then 1 end) as outside,
       round(avg(case when not port_allowed then case when answer = 'answered' then 1e0 else 0e0 end end), 4) as answered_outside
from attempts
where translated and answer <> 'undecided'
group by cluster, node
order by cluster, node
