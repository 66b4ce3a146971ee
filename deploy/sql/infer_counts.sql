-- What `snatrace infer --counts` needs of one cluster: its 20 most used destinations. Replace fra.
with busiest as (
    select nat_dst, nat_dst_port
    from attempts
    where cluster = 'fra' and translated
    group by nat_dst, nat_dst_port
    order by count(*) desc, nat_dst, nat_dst_port
    limit 20
)
select nat_port as port, attempts.nat_dst as dst, attempts.nat_dst_port as dst_port,
       count(case when answer = 'answered' then 1 end) as answered,
       count(case when answer = 'unanswered' then 1 end) as unanswered
from attempts join busiest
  on attempts.nat_dst = busiest.nat_dst and attempts.nat_dst_port = busiest.nat_dst_port
where cluster = 'fra' and translated and answer <> 'undecided' and nat_mode <> 'preserved'
group by nat_port, attempts.nat_dst, attempts.nat_dst_port
