#!/usr/bin/env python3
"""Restoring a cache, beside gitlab-ci-local: cache_beside_gcl.py TIDEGATE TREE SCRATCH [BACKEND]

Both save the directory TREE as the cache of a job, then run a job that restores it and one that has no cache, in turns; the
difference of the medians is the restore. gitlab-ci-local is what `npm install gitlab-ci-local node@24` puts into the directory
PEER_DIR names (an environment variable); it needs rsync. SCRATCH is emptied; all trees and stores are on its file system.
"""

import os, pathlib, shutil, statistics, subprocess, sys, time

binary, tree, scratch = (os.path.abspath(a) for a in sys.argv[1:4])
backend = sys.argv[4] if len(sys.argv) > 4 else "overlay"
modules = pathlib.Path(os.environ["PEER_DIR"], "node_modules")
ROUNDS = 3

PIPELINE = f"""
stages: [one, two]
make: {{stage: one, script: ['cp -a {tree} ./node_modules'], cache: {{key: k, paths: [node_modules/]}}}}
use: {{stage: two, script: ['ls node_modules | wc -l'], cache: {{key: k, paths: [node_modules/], policy: pull}}}}
none: {{stage: two, script: ['ls / | wc -l']}}
"""

shutil.rmtree(scratch, ignore_errors=True)
project = pathlib.Path(scratch, "project")
project.mkdir(parents=True)
(project / ".gitlab-ci.yml").write_text(PIPELINE)
(project / ".gitignore").write_text("node_modules\n.gitlab-ci-local\n")
for words in ("init -q -b main", "add -A", "-c user.name=n -c user.email=a@b commit -qm x",
              "remote add origin https://gitlab.com/group/project.git", "update-ref refs/remotes/origin/main HEAD",
              "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main"):
    subprocess.run(["git", *words.split()], cwd=project, check=True)
environment = dict(os.environ, HOME=scratch, TIDEGATE_DATA_DIR=f"{scratch}/data", TIDEGATE_WORKSPACE=backend)
gcl = [str(modules / "node/bin/node"), str(modules / "gitlab-ci-local/dist/index.js"), "--force-shell-executor", "--shell-isolation"]
commands = {"tidegate": [binary, "run", "--no-needs"], "gitlab-ci-local": gcl}


def run(command, job):
    began = time.monotonic()
    ended = subprocess.run([*command, job], cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        sys.exit(ended.stdout.decode(errors="replace"))
    return time.monotonic() - began


for command in commands.values():
    run(command, "make")
times = {(name, job): [] for name in commands for job in ("none", "use")}
for _ in range(ROUNDS):
    for (name, job), all_times in times.items():
        all_times.append(run(commands[name], job))
for name in commands:
    none, use = (statistics.median(times[name, job]) for job in ("none", "use"))
    print(f"{name:<16} without a cache {none * 1000:7.0f} ms  restores it {use * 1000:7.0f} ms  restore {(use - none) * 1000:7.0f} ms")
shutil.rmtree(scratch)
