//! Programs from npm that start children, with a child in Rust.

use std::process::Command;

use anyhow::{Result, ensure};
use harness::{Half, root};

use super::recipes::{ends_well, program};
use harness::testing::{Need, Test, test};

const PACKAGES: &str = "node-channel/tests/npm";

pub fn tests() -> Vec<Test> {
    [
        test("jest_worker_calls_a_rust_worker", jest_worker),
        test("tinypool_runs_tasks_in_rust_workers", tinypool),
        test("workerpool_runs_methods_in_rust_workers", workerpool),
        test("execa_exchanges_messages_with_a_rust_program", execa),
        test("pm2_waits_for_a_rust_server_and_stops_it", pm2),
    ]
    .map(|test| test.needs(Need::Packages(PACKAGES)))
    .into()
}

/// A module whose first argument is a program of ours; its lines.
fn lines(with: &str, script: &str) -> Result<Vec<String>> {
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", script])
        .arg(program(with)?.get_program())
        .current_dir(root().join(PACKAGES));
    let mut half = Half::start(&mut node)?;
    ends_well(&mut half)?;
    Ok(half.stdout())
}

fn jest_worker() -> Result<()> {
    let script = "
        import { Worker } from 'jest-worker'
        const worker = new Worker('/no/module', {
          numWorkers: 2,
          exposedMethods: ['double'],
          forkOptions: { execPath: process.argv[1], execArgv: [] },
        })
        const jobs = [1, 2, 3, 4, 5].map(n => worker.double(n))
        console.log(String(await Promise.all(jobs)))
        const { forceExited } = await worker.end()
        console.log('forced', forceExited)";
    let lines = lines("pool_worker", script)?;
    ensure!(lines == ["2,4,6,8,10", "forced false"], "{lines:?}");
    Ok(())
}

fn tinypool() -> Result<()> {
    let script = "
        process.execPath = process.argv[1]
        const { default: Tinypool } = await import('tinypool')
        const pool = new Tinypool({
          runtime: 'child_process', filename: '/no/module',
          minThreads: 1, maxThreads: 2, execArgv: [],
        })
        const jobs = [1, 2, 3, 4, 5].map(n => pool.run(n))
        console.log(String(await Promise.all(jobs)))
        await pool.destroy()";
    let lines = lines("pool_worker", script)?;
    ensure!(lines == ["2,4,6,8,10"], "{lines:?}");
    Ok(())
}

fn workerpool() -> Result<()> {
    let script = "
        import workerpool from 'workerpool'
        const pool = workerpool.pool('/no/module', {
          workerType: 'process', maxWorkers: 2, forkArgs: ['workerpool'],
          forkOpts: { execPath: process.argv[1] },
        })
        const jobs = [1, 2, 3, 4, 5].map(n => pool.exec('double', [n]))
        console.log(String(await Promise.all(jobs)))
        await pool.terminate()";
    let lines = lines("pool_worker", script)?;
    ensure!(lines == ["2,4,6,8,10"], "{lines:?}");
    Ok(())
}

fn execa() -> Result<()> {
    let script = "
        import { execa } from 'execa'
        const child = execa(process.argv[1], { ipc: true, stdout: 'inherit' })
        await child.sendMessage(21)
        console.log(await child.getOneMessage())
        await child.sendMessage('enough')
        console.log('exit', (await child).exitCode)";
    let lines = lines("pool_worker", script)?;
    ensure!(lines == ["42", "exit 0"], "{lines:?}");
    Ok(())
}

/// Without `"ready"`, PM2 would wait for longer than this test may take.
fn pm2() -> Result<()> {
    let script = "
        import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
        import { tmpdir } from 'node:os'
        import { join } from 'node:path'
        import { promisify } from 'node:util'
        const home = mkdtempSync(join(tmpdir(), 'pm2-'))
        process.env.PM2_HOME = home
        process.env.PM2_DISABLE_VERSION_CHECK = 'true'
        const { default: pm2 } = await import('pm2')
        const call = (name, ...args) => promisify(pm2[name]).call(pm2, ...args)
        await call('connect', true)
        const out = join(home, 'out')
        await call('start', {
          script: process.argv[1], interpreter: 'none', name: 'ready',
          wait_ready: true, listen_timeout: 600_000, kill_timeout: 600_000,
          shutdown_with_message: true, autorestart: false,
          out_file: out, error_file: join(home, 'error'),
        })
        const [{ pm2_env }] = await call('describe', 'ready')
        console.error('status', pm2_env.status)
        await call('stop', 'ready')
        const lines = readFileSync(out, 'utf8').trimEnd().split('\\n')
        rmSync(home, { recursive: true, force: true })
        console.error('server', lines[0].split(' ')[0], lines.at(-1))
        process.exit()";
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", script])
        .arg(program("ready")?.get_program())
        .current_dir(root().join(PACKAGES));
    let mut half = Half::start(&mut node)?;
    ends_well(&mut half)?;
    let said = half.stderr();
    let expected = ["status online", "server listening shutdown"];
    for line in expected {
        // PM2 puts the time in front of it.
        ensure!(said.iter().any(|said| said.ends_with(line)), "{said:?}");
    }
    Ok(())
}
