import { createContext } from "preact";
import { useContext } from "preact/hooks";

/** Whether all of the deployment is shown, or a user's datasets; undefined until it is known. */
export type Scope = "deployment" | "user" | undefined;

export const ScopeContext = createContext<Scope>(undefined);

/** What the caller sees. */
export const useScope = (): Scope => useContext(ScopeContext);
