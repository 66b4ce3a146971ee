"""Reads exported Parquet with one engine and prints what it found as JSON: python3 read.py duckdb|pyarrow|pandas|spark FILE RETRANSMITS"""
import json, sys

engine, attempts, retransmits = sys.argv[1:]
PODS = """select namespace, pod, count(*) as attempts, sum(case when answer = 'unanswered' then 1 else 0 end) as unanswered
          from attempts group by namespace, pod order by namespace, pod"""
PORTS = """select port_allowed, sum(case when answer = 'answered' then 1 else 0 end), sum(case when answer = 'unanswered' then 1 else 0 end)
           from attempts where nat_port is not null and coalesce(translated, true) and ip_version = 4
           group by port_allowed order by port_allowed"""

if engine == "duckdb":
    import duckdb
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    db.execute(f"create view attempts as select * from read_parquet('{attempts}')")
    rows = db.execute("select count(*), count(pod), count(icmp_type) from attempts").fetchone()
    others = db.execute(f"select count(*) from read_parquet('{retransmits}')").fetchone()[0]
    types = {row[0]: row[1] for row in db.execute("describe attempts").fetchall()}
    start = db.execute("select min(start_time)::varchar from attempts").fetchone()[0]
    pods, ports = db.execute(PODS).fetchall(), db.execute(PORTS).fetchall()
elif engine in ("pyarrow", "pandas"):
    import pyarrow.parquet as parquet
    table = parquet.read_table(attempts)
    others = parquet.read_metadata(retransmits).num_rows
    types = {field.name: str(field.type) for field in table.schema}
    if engine == "pandas":
        frame = table.to_pandas()
    else:
        import pandas
        frame = pandas.DataFrame(table.to_pylist())
    rows = [len(frame), int(frame["pod"].notna().sum()), int(frame["icmp_type"].notna().sum())]
    start = str(frame["start_time"].min())
    frame["unanswered"] = (frame["answer"] == "unanswered").astype(int)
    frame["answered"] = (frame["answer"] == "answered").astype(int)
    groups = frame.groupby(["namespace", "pod"], dropna=False)["unanswered"].agg(["count", "sum"])
    pods = [[*(None if key != key else key for key in keys), int(row["count"]), int(row["sum"])] for keys, row in groups.iterrows()]
    seen = frame[frame["nat_port"].notna() & (frame["translated"] != False) & (frame["ip_version"] == 4)]
    ports = [[bool(key), int(row["answered"]), int(row["unanswered"])] for key, row in seen.groupby("port_allowed")[["answered", "unanswered"]].sum().iterrows()]
else:
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[1]")
    for name, value in {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
                        "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "1"}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    frame = spark.read.parquet(attempts)
    frame.createOrReplaceTempView("attempts")
    rows = list(spark.sql("select count(*), count(pod), count(icmp_type) from attempts").collect()[0])
    others = spark.read.parquet(retransmits).count()
    types = dict(frame.dtypes)
    start = spark.sql("select string(min(start_time)) from attempts").collect()[0][0]
    pods, ports = ([list(row) for row in spark.sql(sql).collect()] for sql in (PODS, PORTS))
    spark.stop()

print(json.dumps({"rows": [int(n) for n in rows], "retransmits": others, "types": types, "start": start[:19],
                  "pods": [[*row[:2], int(row[2]), int(row[3])] for row in pods], "ports": [[row[0], int(row[1]), int(row[2])] for row in ports]}))
