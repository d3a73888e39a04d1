/** @jsxImportSource preact */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Told } from "./told.tsx";
import { DatasetPage } from "./dataset_page.tsx";
import { Datasets } from "./datasets.tsx";
import { useLive } from "./live.ts";
import { Overview } from "./overview.tsx";
import { PeriodPage } from "./period_page.tsx";
import { RunPage } from "./run_page.tsx";
import { Runs } from "./runs.tsx";
import { ScopeContext } from "./scope.ts";
import {
  type Credentials,
  current,
  findServing,
  onChange,
  type Serving,
  setCredentials,
} from "./session.ts";
import { Settings } from "./settings.tsx";
import { SignIn } from "./sign_in.tsx";
import { TablePage } from "./table_page.tsx";
import { useShortcuts } from "./shortcuts.ts";
import { Theme } from "./theme.tsx";
import { Trouble } from "./trouble.tsx";

/** The views by the first part of the address, with the key that leads there after g. */
const views: [path: string, name: string, key: string][] = [
  ["overview", "Overview", "o"],
  ["datasets", "Datasets", "d"],
  ["runs", "Runs", "r"],
  ["trouble", "Dead letters", "l"],
  ["settings", "Settings", "s"],
];

function App({ serving }: { serving: Serving }) {
  const [credentials, setShown] = useState<Credentials | null>(current());
  const [path, setPath] = useState(partsOf(location.hash));
  useEffect(() => onChange(() => setShown(current())), []);
  useEffect(() => {
    const moved = () => {
      setPath(partsOf(location.hash));
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useShortcuts(views.map(([path, , key]) => [key, path]));
  if (serving.mode === "direct" && credentials === null) {
    return <SignIn project={serving.project} />;
  }
  return <Shell serving={serving} credentials={credentials} path={path} />;
}

function Shell(
  { serving, credentials, path }: {
    serving: Serving;
    credentials: Credentials | null;
    path: string[];
  },
) {
  const seen = useLive("/compaction/overview?window=15m", 15);
  const wrong = seen.value === undefined
    ? 0
    : seen.value.dead_letters + seen.value.quarantined_files;
  const [view] = path;
  const shown = views.filter(([name]) => name !== "settings" || seen.value?.scope !== "user");
  useEffect(() => {
    const name = views.find(([one]) => one === view)?.[1] ?? "Overview";
    document.title = `${[name, ...path.slice(1)].join(" / ")} – Sediment`;
  }, [path]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")!.focus();
        }}
      >
        To the content
      </a>
      <header class="bar">
        <a class="brand" href="#/overview">Sediment</a>
        <nav aria-label="Views">
          {shown.map(([name, text, key]) => (
            <a
              href={`#/${name}`}
              aria-current={view === name ? "page" : undefined}
              aria-keyshortcuts={`g ${key}`}
            >
              {text}
              {name === "trouble" && wrong > 0 && <span class="badge">{wrong}</span>}
            </a>
          ))}
        </nav>
        <div class="who">
          <span class="quiet" title={serving.project}>
            {credentials?.kind === "user" ? credentials.email : serving.project}
          </span>
          <Theme />
          {credentials !== null && (
            <button
              type="button"
              class="quiet-button"
              onClick={() => setCredentials(null)}
            >
              Sign out
            </button>
          )}
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <ScopeContext.Provider value={seen.value?.scope}>
          <View path={path} />
        </ScopeContext.Provider>
      </main>
      <Told />
    </>
  );
}

function View({ path: [view, a, b, c] }: { path: string[] }) {
  if (view === "datasets" && c !== undefined) {
    return <PeriodPage key={`${a}/${b}/${c}`} id={a} table={b} period={c} />;
  }
  if (view === "datasets" && b !== undefined) {
    return <TablePage key={`${a}/${b}`} id={a} table={b} />;
  }
  if (view === "datasets" && a !== undefined) return <DatasetPage key={a} id={a} />;
  if (view === "datasets") return <Datasets />;
  if (view === "runs" && a !== undefined) return <RunPage key={a} id={a} />;
  if (view === "runs") return <Runs />;
  if (view === "trouble") return <Trouble />;
  if (view === "settings") return <Settings key={a} about={a ?? ""} />;
  return <Overview />;
}

/** The parts of an address: names alone, whatever somebody typed. */
function partsOf(hash: string): string[] {
  const parts = hash.replace(/^#\/?/, "").split("/").filter((part) => part !== "")
    .map((part) => part.replace(/[^A-Za-z0-9_-]/g, ""));
  return parts.length === 0 ? ["overview"] : parts;
}

const root = document.getElementById("root")!;
document.documentElement.dataset.theme = localStorage.getItem("sediment-theme") ?? "system";
findServing().then(
  (serving) => render(<App serving={serving} />, root),
  (refusal) =>
    render(
      <main class="sign-in" id="main">
        <h1>Sediment</h1>
        <p class="why" role="alert">{(refusal as Error).message}</p>
      </main>,
      root,
    ),
);
