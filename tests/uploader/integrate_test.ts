import { strict as assert } from "node:assert";
import { readdir } from "node:fs/promises";
import { systemClock } from "../../shared/clock.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import { integrate, type Job } from "../../shared/uploader/integrate.ts";
import type { LogEvent } from "../../shared/uploader/log.ts";
import { eventually } from "../support/eventually.ts";
import { withFolder } from "./support/setup.ts";

const never = "0 0 30 2 *"; // the 30th of February

async function withJob(
  job: Job,
  options: { timeout?: number },
  test: (parts: {
    job: ReturnType<typeof integrate>;
    another(): Promise<ReturnType<typeof integrate>>;
    names(): string[];
    locks(): Promise<string[]>;
  }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const log: LogEvent[] = [];
    const open: ReturnType<typeof integrate>[] = [];
    const another = async () => {
      const medium = await diskMedium(folder);
      open.push(integrate(job, { ...options, cron: never, medium, log: (e) => log.push(e) }));
      return open.at(-1)!;
    };
    try {
      await test({
        job: await another(),
        another,
        names: () => log.map((event) => event.event),
        locks: async () =>
          (await readdir(`${folder}/.sediment/locks`)).filter((name) => !name.startsWith("idle.")),
      });
    } finally {
      for (const one of open) one.stop();
    }
  });
}

Deno.test("a job's value is given back, and the guard is free afterwards", async () => {
  let runs = 0;
  await withJob(() => ++runs, {}, async ({ job, names, locks }) => {
    assert.deepEqual(await job.runNow(), { status: "done", value: 1 });
    assert.deepEqual(await job.runNow(), { status: "done", value: 2 });
    assert.deepEqual(await locks(), []);
    assert.deepEqual(names(), ["job_started", "job_ended", "job_started", "job_ended"]);
  });
});

Deno.test("a second run, here or in another process, is left out and says so", async () => {
  let go!: () => void, runs = 0;
  const held = new Promise<void>((resolve) => go = resolve);
  await withJob(() => (runs++, held), {}, async ({ job, another, names }) => {
    const first = job.runNow();
    await eventually("a run", () => runs !== 0);
    assert.equal((await job.runNow()).status, "busy");
    assert.equal((await (await another()).runNow()).status, "busy");
    assert.equal(job.last(), null);
    go();
    assert.equal((await first).status, "done");
    assert.equal((await (await another()).runNow()).status, "done");
    assert.equal(names().filter((name) => name === "job_busy").length, 2);
  });
});

Deno.test("a job that throws, rejects or panics before it gives a promise frees the guard", async () => {
  const jobs: Job[] = [
    () => {
      throw new Error("at once");
    },
    () => Promise.reject(new Error("later")),
    () => Promise.reject("no error at all"),
    () => (undefined as unknown as string[]).length,
  ];
  for (const failing of jobs) {
    await withJob(failing, {}, async ({ job, names, locks }) => {
      const outcome = await job.runNow();
      assert.equal(outcome.status, "failed");
      assert.deepEqual(job.last(), outcome);
      assert.deepEqual(await locks(), []);
      assert.ok(names().includes("job_failed"));
    });
  }
});

Deno.test("a job past its time is told, and the guard is freed even if it does not listen", async () => {
  let told = false;
  const deaf: Job = (signal) => {
    signal.addEventListener("abort", () => told = true);
    return new Promise(() => {});
  };
  await withJob(deaf, { timeout: 30 }, async ({ job, another, names, locks }) => {
    assert.equal((await job.runNow()).status, "timed_out");
    assert.ok(told);
    assert.deepEqual(await locks(), []);
    assert.equal((await (await another()).runNow()).status, "timed_out");
    assert.ok(names().includes("job_timed_out"));
  });
});

Deno.test("a job that rejects after its time was up harms nobody", async () => {
  const late: Job = (signal) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => setTimeout(() => reject(new Error("late")), 10))
    );
  await withJob(late, { timeout: 10 }, async ({ job }) => {
    assert.equal((await job.runNow()).status, "timed_out");
    await new Promise((resolve) => setTimeout(resolve, 40));
  });
});

Deno.test("a lock that can't be asked for is a failed run, not a thrown one", async () => {
  const job = integrate(() => 1, {
    cron: never,
    medium: { lock: () => Promise.reject(new Error("EROFS")) },
    clock: systemClock,
  });
  const outcome = await job.runNow();
  assert.ok(outcome.status === "failed" && /EROFS/.test(outcome.error.message));
  job.stop();
});

Deno.test("the schedule runs the job, and stop ends it", async () => {
  await withFolder(async (folder) => {
    let runs = 0;
    const medium = await diskMedium(folder);
    const job = integrate(() => ++runs, { cron: "* * * * * *", medium });
    assert.ok(job.nextRun()!.getTime() - Date.now() <= 1000);
    await eventually("a run", () => job.last() !== null);
    job.stop();
    const before = runs;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal(runs, before);
    assert.equal((await job.runNow()).status, "stopped");
  });
});

Deno.test("a job that waits for its lock when the schedule is stopped does not run", async () => {
  const lock = Promise.withResolvers<{ release(): Promise<void> }>();
  let runs = 0, released = 0;
  const medium = { lock: () => lock.promise };
  const job = integrate(() => ++runs, { cron: never, medium });
  const running = job.runNow();
  job.stop();
  lock.resolve({ release: () => Promise.resolve(void released++) });
  assert.equal((await running).status, "stopped");
  assert.deepEqual([runs, released], [0, 1]);
});

Deno.test("a pattern that is no cron is refused with what was expected", () => {
  const medium = { lock: () => Promise.resolve(null) };
  for (const cron of ["", "every day", "99 * * * *", "* * * * * * * *"]) {
    assert.throws(() => integrate(() => 1, { cron, medium }), {
      code: "invalid_config",
      field: "cron",
    }, cron);
  }
  assert.throws(() => integrate(() => 1, { cron: never, medium, name: "../x" }), { field: "name" });
});

Deno.test("a timeout that is no time is refused: it would end every run at once, or none", () => {
  const medium = { lock: () => Promise.resolve(null) };
  for (const timeout of [0, -1, NaN]) {
    const wrong = { code: "invalid_config", field: "timeout" };
    assert.throws(() => integrate(() => 1, { cron: never, medium, timeout }), wrong);
  }
});
