#!/usr/bin/env python3
"""Caches through the binary: cache.py TIDEGATE TREE SCRATCH [BACKEND]

Measures, for jobs whose cache is the directory TREE, by the moments at which lines of their logs appear:

  full     saving the whole of a new tree: from "Creating cache" to "Created cache"
  durable  the same, until the index says that it would outlast a power cut
  sync     a `sync` of the file system after that run, which has to find nothing of the tree
  restore  a run of a job that restores it, less a run of the same job without a cache: what is written out has to be removed, too
  ready    the same to the moment at which the job's script begins
  delta    saving after ten files changed
  same     saving when nothing changed
  tar      `tar | zstd -T0 -3` of the same tree, with a `sync` behind it
  rsync    `rsync -a` of the same tree, with which gitlab-ci-local restores a cache

SCRATCH is emptied; the store and the tree of the jobs are on its file system.
"""

import os, pathlib, resource, shutil, sqlite3, statistics, subprocess, sys, threading, time

binary, tree, scratch = (os.path.abspath(a) for a in sys.argv[1:4])
backend = sys.argv[4] if len(sys.argv) > 4 else "overlay"

PIPELINE = f"""
make: {{rules: [{{if: '$STEP == "make"'}}], script: ['cp -a {tree} ./node_modules'], cache: {{key: k, paths: [node_modules/]}}}}
use: {{rules: [{{if: '$STEP == "use"'}}], script: ['ls node_modules | wc -l'], cache: {{key: k, paths: [node_modules/], policy: pull}}}}
none: {{rules: [{{if: '$STEP == "none"'}}], script: ['ls / | wc -l']}}
same: {{rules: [{{if: '$STEP == "same"'}}], script: ['true'], cache: {{key: k, paths: [node_modules/]}}}}
touch:
  rules: [{{if: '$STEP == "touch"'}}]
  script: ['for f in $(find node_modules -type f | head -10); do echo "// $RANDOM" >> $f; done']
  cache: {{key: k, paths: [node_modules/]}}
"""


def settled(ended, at):
    """Notes the moment at which no cache is unsettled any more; see the store's format."""
    index = sqlite3.connect(f"file:{scratch}/data/index.db?mode=ro", uri=True)
    unsettled = """SELECT COUNT(*) FROM entries JOIN layers ON layers.entry = entries.id
        JOIN trees ON trees.id = layers.tree WHERE entries.kind = 'cache' AND trees.boot IS NOT NULL"""
    while index.execute(unsettled).fetchone()[0]:
        if ended.wait(0.002):
            break
    at.append(time.monotonic())


def run(step):
    """Wall time of a run, the times from "Creating cache" to "Created cache", to its being durable, and to the end, and from the
    beginning to the script."""
    ended, durable, watch = threading.Event(), [], None
    began = time.monotonic()
    process = subprocess.Popen(
        [binary, "run", "--variable", f"STEP={step}"], cwd=project, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    start = end = script = None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if b'Executing "step_script"' in line:
            script = time.monotonic() - began
        if b"Creating cache" in line:
            start = time.monotonic()
        if b"Created cache" in line:
            end = time.monotonic()
            watch = threading.Thread(target=settled, args=(ended, durable))
            watch.start()
    status = process.wait()
    done = time.monotonic()
    if watch:
        ended.set()
        watch.join()
    if status != 0:
        sys.exit(b"".join(lines).decode(errors="replace"))
    if not end:
        return done - began, None, None, None, script
    return done - began, end - start, durable[0] - start, done - start, script


def sync():
    began = time.monotonic()
    subprocess.run(["sync", "-f", scratch], check=True)
    return time.monotonic() - began


def median(values):
    return statistics.median(values)


def show(name, seconds, note=""):
    print(f"{name:<8} {seconds * 1000:9.1f} ms  {note}", flush=True)


shutil.rmtree(scratch, ignore_errors=True)
project = pathlib.Path(scratch, "project")
project.mkdir(parents=True)
(project / ".gitlab-ci.yml").write_text(PIPELINE)
(project / ".gitignore").write_text("node_modules\n")
environment = dict(os.environ, HOME=scratch, TIDEGATE_DATA_DIR=f"{scratch}/data", TIDEGATE_WORKSPACE=backend, LC_ALL="C.UTF-8")
for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=n", "-c", "user.email=a@b", "commit", "-qm", "x"]):
    subprocess.run(["git", *command], cwd=project, check=True)

sync()
wall, full, durable, rest, _ = run("make")
show("full", full, f"in a run of {wall:.2f} s, which ends after {rest * 1000:.1f} ms")
show("durable", durable)
show("sync", sync())
without, restoring = [run("none") for _ in range(7)], [run("use") for _ in range(7)]
nones, uses = [of[0] for of in without], [of[0] for of in restoring]
show("none", median(nones), "wall time of a run without a cache")
show("use", median(uses), "wall time of a run that restores it")
show("restore", median(uses) - median(nones))
show("ready", median([of[4] for of in restoring]) - median([of[4] for of in without]))
deltas = [run("touch")[1] for _ in range(5)]
show("delta", median(deltas), f"{100 * median(deltas) / full:.1f} % of full; all: {[round(1000 * d, 1) for d in deltas]}")
show("same", median([run("same")[1] for _ in range(5)]))
sync()
began = time.monotonic()
pack = f"tar -C {os.path.dirname(tree)} -cf - {os.path.basename(tree)} | zstd -q -T0 -3 > {scratch}/tree.tar.zst && sync -f {scratch}"
subprocess.run(pack, shell=True, check=True)
tar = time.monotonic() - began
show("tar", tar, f"{tar / full:.1f} times full, {tar / durable:.1f} times durable")
subprocess.run(["cp", "-a", tree, f"{scratch}/kept"], check=True)
began = time.monotonic()
subprocess.run(["rsync", "-a", f"{scratch}/kept/.", f"{scratch}/copy"], check=True)
rsync = time.monotonic() - began
show("rsync", rsync, f"{rsync / (median(uses) - median(nones)):.1f} times restore")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"memory   {peak / 1024:9.1f} MB  largest of all processes")
