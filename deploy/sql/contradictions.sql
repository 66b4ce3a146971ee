-- Nodes that contradict the others of their cluster: ports (by 512) that their path answers and the cluster's path does not, or the
-- reverse.
with bins as (
    select cluster, node, floor(nat_port / 512) as bin,
           case when count(case when answer = 'answered' then 1 end) > 0.5 * count(*) then 1 else 0 end as is_open
    from attempts
    where translated and answer <> 'undecided' and nat_mode <> 'preserved'
    group by cluster, node, floor(nat_port / 512)
), majority as (
    select cluster, bin, case when avg(is_open) > 0.5 then 1 else 0 end as is_open
    from bins
    group by cluster, bin
)
select bins.cluster, bins.node,
       count(case when bins.is_open > majority.is_open then 1 end) as open_here_only,
       count(case when bins.is_open < majority.is_open then 1 end) as closed_here_only
from bins join majority on bins.cluster = majority.cluster and bins.bin = majority.bin
where bins.is_open <> majority.is_open
group by bins.cluster, bins.node
order by bins.cluster, bins.node
