/** One seed: a rough time, then a calm one, then the account. */
import { openFolderMedium } from "../../../shared/uploader/pending/media/folder_medium.ts";
import { silentLog } from "../../../shared/uploader/log.ts";
import type { PendingItem } from "../../../shared/uploader/pending/pending_record.ts";
import { tokenSession } from "../../../shared/uploader/session/session.ts";
import { createUploader } from "../../../shared/uploader/uploader.ts";
import { violations } from "./check.ts";
import { SimulatedProcess } from "./process.ts";
import type { Sabotage } from "./sabotage.ts";
import { calm, type Climate, World } from "./world.ts";

/** What a seed came to. */
export interface SeedResult {
  seed: number;
  scenario: string;
  violations: string[];
  steps: number;
  faults: number;
  crashes: number;
  /** Pushes that Ctrl-C ended. */
  interrupts: number;
  requests: number;
  stored: number;
  dead: number;
  expired: number;
  /** Items that were kept at the end of the rough time. */
  pending: number;
  trace: string[];
}

const minute = 60_000;

/** Runs one seed of the random scenario. */
export async function runSeed(seed: number, sabotage: Sabotage | null = null): Promise<SeedResult> {
  const world = new World(seed, 1 + (seed % 3 === 0 ? 1 : 0), sabotage);
  const { time } = world;
  const rough = time.between(30, 120) * minute;
  const crash = time.pick([0, 0.001, 0.004, 0.02]);
  world.running.forEach((_, slot) => void world.start(slot));
  let over = false;

  const repeat = (between: () => number, act: () => void) => {
    const again = () =>
      time.after(between(), () => {
        if (over) return;
        act();
        again();
      });
    again();
  };
  const slots = world.running.length;
  for (let slot = 0; slot < slots; slot++) {
    repeat(
      () => time.between(1_000, 5 * minute),
      () => void world.upload(slot, time.pick(world.contents.filter((c) => c.user === world.user))),
    );
  }
  repeat(
    () => time.between(20_000, 15 * minute),
    () => setClimate(world, randomClimate(world, crash)),
  );
  // A session that is refused is refreshed at once, by an app that means well.
  repeat(
    () =>
      world.climate.tokenTaken ? time.between(minute, 60 * minute) : time.between(2_000, 20_000),
    () => world.refresh(),
  );
  if (time.chance(0.5)) {
    repeat(() => time.between(minute, 60 * minute), () => {
      if (crash > 0) world.cutPower();
    });
  }
  if (time.chance(0.3)) {
    repeat(() => time.between(5 * minute, 60 * minute), () => {
      world.clockJumped = true;
      world.faults++;
      world.time.shift += time.pick([-3 * 86_400, -3600, -60, 60, 3600, 90_000]) * 1000;
      world.note("the clock jumps");
    });
  }
  if (time.chance(0.5)) {
    repeat(
      () => time.between(minute, 40 * minute),
      () => world.signIn(time.pick(["ann", "bob", null])),
    );
  }
  if (time.chance(0.3)) {
    const between = () => time.between(minute, 40 * minute);
    repeat(between, () => void world.lendAHand(time.between(0, slots - 1)));
  }
  // Somebody at the command line, who ends every other push by Ctrl-C, wherever it is.
  for (let slot = 0; slot < slots; slot++) {
    repeat(() => time.between(10_000, 8 * minute), () => {
      const mine = world.contents.filter((content) => content.user === world.user);
      const contents = Array.from({ length: time.between(1, 10) }, () => time.pick(mine));
      void world.push(slot, contents, time.between(0, time.pick([100, 500, 3_000, 20 * minute])));
    });
  }
  let steps = await time.run(rough);

  over = true;
  setClimate(world, { ...calm });
  world.signIn("ann");
  const pending = world.unended().length;
  world.note(`calm, with ${pending} unended`);
  // Until nothing waits: the longest are an hour's backoff and the TTL.
  for (let hour = 0; hour < 80 && (hour === 0 || world.unended().length > 0); hour++) {
    world.signIn(hour % 2 === 0 ? "ann" : "bob"); // each sends what is theirs
    steps += await time.run(time.elapsed + 60 * minute);
  }
  return await account(world, seed, "random", steps, pending);
}

/**
 * The incident that began it all: the service refuses the session, the app refreshes it for ever and
 * saves the same table again and again.
 */
export async function runAuthLoop(
  seed: number,
  sabotage: Sabotage | null = null,
): Promise<SeedResult> {
  const world = new World(seed, 1, sabotage);
  const { time } = world;
  setClimate(world, { ...calm, tokenTaken: false });
  void world.start(0);
  const content = world.contents[1];
  const hours = 12;
  for (let second = 5; second < hours * 3600; second += 20) {
    time.after(second * 1000, () => void world.upload(0, content));
    time.after(second * 1000 + 300, () => world.refresh());
  }
  let steps = await time.run(hours * 3600_000);
  const pending = world.unended().length;
  const requests = world.service.requests.length;
  setClimate(world, { ...calm });
  world.refresh();
  steps += await time.run(time.elapsed + 2 * 3600_000);
  const result = await account(world, seed, "auth-loop", steps, pending);
  if (pending !== 1) result.violations.push(`${pending} pending items, not 1`);
  // Two at once, four while the backoff grows to an hour, then one an hour.
  const bound = 2 + 4 + hours;
  if (requests > bound) {
    result.violations.push(`${requests} requests in ${hours} h of refusals, of at most ${bound}`);
  }
  return { ...result, requests };
}

/** Bytes that kill the process that sends them, at every start anew: they must end, and let others pass. */
export async function runPoison(
  seed: number,
  sabotage: Sabotage | null = null,
): Promise<SeedResult> {
  const world = new World(seed, 1, sabotage);
  const { time } = world;
  world.poison = world.contents[1];
  void world.start(0);
  for (let i = 1; i < 6; i++) {
    time.after(i * 10_000, () => void world.upload(0, world.contents[i]));
  }
  // Others are saved when the first has killed its process, so the app saves all of them again.
  for (let again = 1; again < 12; again++) {
    time.after(again * 10 * minute, () => {
      for (let i = 1; i < 6; i++) void world.upload(0, world.contents[i]);
    });
  }
  const steps = await time.run(24 * 60 * minute);
  const result = await account(world, seed, "poison", steps, world.unended().length);
  // A power cut at a death may bring back the record from before the attempt.
  const most = 5 + world.powerCuts;
  if (world.crashes < 5 || world.crashes > most) {
    result.violations.push(`${world.crashes} crashes by one item, not 5 to ${most}`);
  }
  if (result.dead !== 1) result.violations.push(`${result.dead} dead items, not 1`);
  if (result.stored !== 4) result.violations.push(`${result.stored} of the 4 others stored`);
  return result;
}

/** The scenarios beside the random one. */
export const scenarios = { "auth-loop": runAuthLoop, poison: runPoison };

function setClimate(world: World, climate: Climate): void {
  if (world.climate.tokenTaken && !climate.tokenTaken) world.storms++;
  if (!world.climate.tokenTaken) world.stormMs += world.time.elapsed - world.stormSince;
  world.stormSince = world.time.elapsed;
  world.climate = climate;
  const { network, ...rest } = climate;
  world.note(`climate ${JSON.stringify({ ...rest, ...network })}`);
}

function randomClimate(world: World, crash: number): Climate {
  const { time } = world;
  const rate = () => time.pick([0, 0, 0.05, 0.3, 0.9]);
  const network = { lose: 0, refuse: 0, error: 0, busy: 0, portal: 0, hang: 0 };
  let [full, io, tokenTaken, lapsed] = [0, 0, true, false];
  const kinds = ["calm", "flaky", "offline", "errors", "storm", "portal", "disk", "hell"] as const;
  switch (time.pick([...kinds])) {
    case "flaky":
      network.lose = rate();
      network.hang = time.pick([0, 0.05]);
      break;
    case "offline":
      network.refuse = 1;
      lapsed = time.chance(0.5);
      break;
    case "errors":
      network.error = rate();
      network.busy = rate();
      break;
    case "storm":
      tokenTaken = false;
      break;
    case "portal":
      network.portal = 1;
      break;
    case "disk":
      full = time.pick([0, 0.3, 1]);
      io = time.pick([0, 0.02]);
      break;
    case "hell":
      Object.assign(network, { lose: 0.1, refuse: 0.1, error: 0.1, busy: 0.1, hang: 0.05 });
      [full, io] = [0.05, 0.01];
      tokenTaken = time.chance(0.8);
      break;
  }
  return { ...calm, crash, full, io, network, tokenTaken, lapsed };
}

async function account(
  world: World,
  seed: number,
  scenario: string,
  steps: number,
  pending: number,
): Promise<SeedResult> {
  const items = await lastLook(world);
  const found = violations(world, items);
  return {
    seed,
    scenario,
    violations: found,
    steps,
    faults: world.faults + world.crashes + world.powerCuts,
    crashes: world.crashes,
    interrupts: world.interrupts,
    requests: world.service.requests.length,
    stored: world.service.stored.size,
    dead: items.filter((item) => item.state === "dead").length,
    expired: items.filter((item) => item.state === "expired").length,
    pending,
    trace: world.trace,
  };
}

/** All items, as a process that comes after all others are gone sees them. */
async function lastLook(world: World): Promise<PendingItem[]> {
  const { time, disk } = world;
  for (const one of world.running) if (one) one.process.alive = false;
  const process = new SimulatedProcess({
    owner: "sim-0-last",
    time,
    disk,
    breakage: () => calm,
    onCrash: () => {},
  });
  let items: PendingItem[] | null = null;
  void (async () => {
    const uploader = await createUploader({
      url: "http://nobody.test",
      medium: await openFolderMedium({
        path: "/pending",
        fs: process.fs,
        clock: process.clock,
        owner: process.owner,
        isAlive: (owner) => owner === process.owner,
      }),
      clock: process.clock,
      session: tokenSession("x"),
      log: silentLog,
    });
    items = [...await uploader.pending(), ...await uploader.dead()];
  })();
  await time.run(time.elapsed + 10 * minute, () => items !== null);
  if (items === null) throw new Error("the folder could not be read at the end");
  return items;
}
