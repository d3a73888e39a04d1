import { strict as assert } from "node:assert";
import postgres from "postgres";
import { eventually } from "../support/eventually.ts";
import { isRunning } from "../support/stack.ts";
import { processesOf, type StartedProcess, startProcess } from "./started_process.ts";

const ignore = Deno.build.os !== "linux"; // looks at /proc

/** A state folder for one test; whatever still runs on it is ended. */
async function withState(test: (stateDir: string) => Promise<void>): Promise<void> {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-test-" });
  await Deno.chmod(stateDir, 0o711);
  try {
    await test(stateDir);
  } finally {
    for (const pid of processesOf(stateDir)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    await eventually("the end of all processes", () => processesOf(stateDir).length === 0);
    await Deno.remove(stateDir, { recursive: true });
  }
}

async function query(started: StartedProcess, text: string) {
  const sql = postgres(started.info.dbUrl, { max: 1, onnotice: () => {} });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const allPids = ({ info }: StartedProcess) => [info.pid, ...Object.values(info.pids)];
const ended = (pids: number[]) => eventually("the end of all", () => !pids.some(isRunning));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} ends the stack without leaving a process behind`,
    ignore,
    fn: () =>
      withState(async (stateDir) => {
        const started = await startProcess(stateDir);
        const pids = allPids(started);
        assert.ok(pids.every(isRunning));
        started.process.kill(signal);
        assert.equal((await started.process.status).code, 0, await started.stderr);
        assert.deepEqual(pids.filter(isRunning), []);
        assert.deepEqual(processesOf(stateDir), []);
      }),
  });
}

Deno.test({
  name: "after kill -9 of the starter its children end by themselves, and a restart has the data",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const first = await startProcess(stateDir);
      await query(first, "create table public.kept (n int); insert into public.kept values (7)");
      first.process.kill("SIGKILL");
      await first.process.status;
      await ended(allPids(first));
      const second = await startProcess(stateDir);
      assert.equal((await query(second, "select n from public.kept"))[0].n, 7);
      assert.equal(second.info.publishableKey, first.info.publishableKey, "keys are kept");
      second.process.kill("SIGINT");
      await second.process.status;
      await Promise.all([first.stderr, second.stderr]);
    }),
});

Deno.test({
  name: "after kill -9 of every process a restart has what was committed a moment before",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const first = await startProcess(stateDir);
      await query(first, "create table public.kept (n int)");
      await query(first, "insert into public.kept select generate_series(1, 1000)");
      for (const pid of [first.info.pids.watchdog, ...allPids(first)]) {
        if (isRunning(pid)) Deno.kill(pid, "SIGKILL");
      }
      await ended(allPids(first));
      const second = await startProcess(stateDir);
      assert.equal((await query(second, "select count(*)::int as n from public.kept"))[0].n, 1000);
      second.process.kill("SIGINT");
      await second.process.status;
      await Promise.all([first.stderr, second.stderr]);
    }),
});

Deno.test({
  name: "a start ends the orphans that a stack killed together with its watchdog has left",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const first = await startProcess(stateDir);
      Deno.kill(first.info.pids.watchdog, "SIGKILL");
      first.process.kill("SIGKILL");
      await first.process.status;
      const { postgres, postgrest } = first.info.pids;
      assert.ok(isRunning(postgres) && isRunning(postgrest), "they were to be orphans");
      const second = await startProcess(stateDir);
      assert.deepEqual([postgres, postgrest].filter(isRunning), []);
      second.process.kill("SIGINT");
      await second.process.status;
      assert.match(await second.stderr, /ended what a killed stack had left: .*postgres/);
      await first.stderr;
    }),
});

Deno.test({
  name: "when PostgreSQL is killed the stack says so, ends with code 1 and leaves nothing",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const started = await startProcess(stateDir);
      Deno.kill(started.info.pids.postgres, "SIGKILL");
      assert.equal((await started.process.status).code, 1);
      assert.match(await started.stderr, /postgres ended unexpectedly \(SIGKILL\)/);
      await ended(allPids(started));
    }),
});

Deno.test({
  name: "a second start on a state folder in use is refused and does the first no harm",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const first = await startProcess(stateDir);
      await assert.rejects(startProcess(stateDir), (error: Error) => {
        assert.match(error.message, /ended with 1/);
        assert.match(error.message, new RegExp(`in use by process ${first.info.pid}`));
        assert.match(error.message, /--state OTHER_DIR/);
        return true;
      });
      const response = await fetch(`${first.info.url}/auth/v1/.well-known/jwks.json`);
      await response.body?.cancel();
      assert.equal(response.status, 200);
      first.process.kill("SIGINT");
      await first.process.status;
      await first.stderr;
    }),
});

Deno.test({
  name: "--reset gives an empty database and new keys",
  ignore,
  fn: () =>
    withState(async (stateDir) => {
      const first = await startProcess(stateDir);
      await query(first, "create table public.kept (n int)");
      first.process.kill("SIGINT");
      await first.process.status;
      const second = await startProcess(stateDir, ["--reset"]);
      const [{ table }] = await query(second, `select to_regclass('public.kept') as "table"`);
      assert.equal(table, null);
      assert.notEqual(second.info.secretKey, first.info.secretKey);
      second.process.kill("SIGINT");
      await second.process.status;
      await Promise.all([first.stderr, second.stderr]);
    }),
});
