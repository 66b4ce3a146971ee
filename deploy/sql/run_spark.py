"""Runs the queries beside this file with Spark: python3 run_spark.py LAKE [QUERY...]. SPARK_MASTER names the cluster, local[*] without."""
import json, os, pathlib, sys, time
from pyspark.sql import SparkSession

lake, here = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(__file__).parent
names = sys.argv[2:] or sorted(path.stem for path in here.glob("*.sql") if path.stem != "infer_counts")
settings = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.session.timeZone": "UTC",
            "spark.executor.memory": "1g", "spark.executor.cores": "1", "spark.sql.shuffle.partitions": "8", "spark.ui.enabled": "false"}
builder = SparkSession.builder.master(os.environ.get("SPARK_MASTER", "local[*]")).appName("snatrace")
for name, value in settings.items():
    builder = builder.config(name, value)
engine = builder.getOrCreate()
for table in ["attempts", "retransmits"]:
    if (lake / table).exists():
        engine.read.parquet(str(lake / table)).createOrReplaceTempView(table)
for name in names:
    start = time.time()
    rows = engine.sql((here / f"{name}.sql").read_text()).collect()
    print(json.dumps({"query": name, "rows": [[str(value) for value in row] for row in rows]}))
    print(f"{name}: {time.time() - start:.1f} s", file=sys.stderr)
engine.stop()
