import type { Catalog } from "../../shared/catalog/catalog.ts";
import { catalogConformance } from "../conformance/catalog.ts";
import { createFakeCatalog } from "../support/fake_catalog.ts";

catalogConformance("the fake", () =>
  Promise.resolve({
    catalog: createFakeCatalog() as unknown as Catalog,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }));
