"""Runs the queries beside this file with DuckDB: python3 run_duckdb.py LAKE [QUERY...]. With -w FILE, writes the only query as Parquet."""
import argparse, json, pathlib, sys, time
import duckdb

args = argparse.ArgumentParser(description=__doc__)
args.add_argument("lake", type=pathlib.Path)
args.add_argument("queries", nargs="*")
args.add_argument("-w", "--write", type=pathlib.Path)
args = args.parse_args()
here = pathlib.Path(__file__).parent
names = args.queries or sorted(path.stem for path in here.glob("*.sql") if path.stem != "infer_counts")
engine = duckdb.connect()
engine.execute("set TimeZone = 'UTC'")
for table in ["attempts", "retransmits"]:
    if (args.lake / table).exists():
        files = args.lake / table / "**" / "*.parquet"
        engine.execute(f"create view {table} as select * from read_parquet('{files}', hive_partitioning = true, union_by_name = true)")
for name in names:
    sql, start = (here / f"{name}.sql").read_text(), time.time()
    if args.write:
        engine.execute(f"copy ({sql}) to '{args.write}' (format parquet, compression zstd)")
        continue
    rows = engine.execute(sql).fetchall()
    print(json.dumps({"query": name, "rows": [[str(value) for value in row] for row in rows]}))
    print(f"{name}: {time.time() - start:.1f} s", file=sys.stderr)
