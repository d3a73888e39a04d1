/** @jsxImportSource preact */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { DatasetPage, Datasets, PeriodPage, TablePage } from "./datasets.tsx";
import { useLive } from "./live.ts";
import { Overview } from "./overview.tsx";
import { Told } from "./parts.tsx";
import { RunPage, Runs } from "./runs.tsx";
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
  useShortcuts();
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
        <View path={path} />
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
  if (view === "settings") return <Settings />;
  return <Overview />;
}

/** The parts of an address: names alone, whatever somebody typed. */
function partsOf(hash: string): string[] {
  const parts = hash.replace(/^#\/?/, "").split("/").filter((part) => part !== "")
    .map((part) => part.replace(/[^A-Za-z0-9_-]/g, ""));
  return parts.length === 0 ? ["overview"] : parts;
}

/** Light, dark, or as the system has it. */
function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("sediment-theme") ?? "system");
  useEffect(() => {
    if (theme === "system") localStorage.removeItem("sediment-theme");
    else localStorage.setItem("sediment-theme", theme);
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  }, [theme]);
  return (
    <select
      aria-label="Theme"
      value={theme}
      onChange={(event) => setTheme(event.currentTarget.value)}
    >
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}

/** g and a letter leads to a view, / to the field that filters. */
function useShortcuts() {
  useEffect(() => {
    let led = 0;
    const pressed = (event: KeyboardEvent) => {
      const { tagName } = event.target as HTMLElement;
      if (
        event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(tagName)
      ) return;
      const seek = document.getElementById("seek");
      if (event.key === "/" && seek !== null) {
        event.preventDefault();
        seek.focus();
      } else if (event.key === "g") led = Date.now();
      else if (Date.now() - led < 1500) {
        led = 0;
        const view = views.find(([, , key]) => key === event.key);
        if (view !== undefined) location.hash = `#/${view[0]}`;
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
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
