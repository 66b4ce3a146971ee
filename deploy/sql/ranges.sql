-- The range that the path of each cluster passes: ports by 512, of which some attempts are answered or none.
with bins as (
    select cluster, floor(nat_port / 512) as bin,
           count(case when answer = 'answered' then 1 end) as answered, count(*) as attempts
    from attempts
    where translated and answer <> 'undecided' and nat_mode <> 'preserved'
    group by cluster, floor(nat_port / 512)
)
select cluster,
       cast(min(case when answered > 0.5 * attempts then bin end) * 512 as int) as lowest_open,
       cast(max(case when answered > 0.5 * attempts then bin end) * 512 + 511 as int) as highest_open,
       count(case when answered <= 0.5 * attempts then 1 end) as closed_bins,
       sum(attempts) as attempts
from bins
group by cluster
order by cluster
