//! What a job cannot do: reach its layers, or leave anything behind.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::stage::{Stage, fingerprint, job, on_each_backend};

#[test]
fn nothing_a_job_does_reaches_a_layer() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        let base = stage.layer(
            "mkdir -p d/e; for f in append truncate inplace mode rename link touch owner gone; \
             do echo original > $f; done; echo original > d/e/f; ln -s d/e/f sym",
        );
        let cache = stage.layer("mkdir d; echo cached > d/c");
        let before = (fingerprint(&base), fingerprint(&cache));
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "echo more >> append; : > truncate; sed -i s/orig/chang/ inplace; chmod 777 mode d/e; \
             mv rename renamed; ln link linked; echo more >> linked; \
             touch -d 2001-01-01 touch d/e/f; chown $(id -u):$(id -g) owner; \
             rm gone; echo through > sym; rm -r d; mkdir d; \
             echo new > d/n; dd if=/dev/zero of=append bs=1 count=3 conv=notrunc status=none",
        );
        assert_eq!(
            (fingerprint(&base), fingerprint(&cache)),
            before,
            "{backend}"
        );
    });
}

#[test]
fn a_workspace_can_be_removed_after_its_processes_were_killed() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("echo x > file");
        let workspace = stage.workspace("job", backend);
        let mut bash = Command::new("bash");
        bash.args([
            "-c",
            "mkdir -p closed/inner; touch closed/inner/f; chmod 0 closed; touch up; \
                          exec sleep 1000",
        ]);
        workspace.plan().enter_on_spawn(&mut bash).unwrap();
        let mut child = bash.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while workspace
            .union()
            .unwrap()
            .lookup("up".as_ref())
            .unwrap()
            .is_none()
        {
            assert!(
                Instant::now() < deadline,
                "{backend}: the job did not start"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        workspace.discard().unwrap();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(
            !mounts.contains(stage.path().to_str().unwrap()),
            "{backend}"
        );
        assert_eq!(
            std::fs::read_dir(stage.path().join("job")).unwrap().count(),
            0,
            "{backend}"
        );
    });
}
