/** An OpenAPI 3.1 document made of route descriptions and their zod schemas. */
import * as z from "zod/v4/core";
import { type ErrorCode, errorKinds } from "../errors.ts";
import { uuidPattern } from "../protocol/names.ts";
import { olderSpellings } from "../protocol/spellings.ts";

/** Who may call a route. */
export type RouteAccess = "user" | "service" | "token" | "anyone";

/** One route. */
export interface RouteDescription {
  method: "delete" | "get" | "head" | "patch" | "post" | "put";
  /** Below `/functions/v1`, with `{name}` for parameters. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  access: RouteAccess;
  /** Query parameters, an object schema. */
  query?: z.$ZodType;
  /** Request headers beside the credentials, by name. */
  headers?: Record<string, string>;
  /** Bodies by media type; a string is the description of raw bytes. */
  body?: Record<string, z.$ZodType | string>;
  /** Answers by status; a media type other than JSON is raw bytes. */
  answers: Record<number, { description: string; schema?: z.$ZodType; mediaType?: string }>;
  /** Problems beside those that every route of its access, and every route with a body, can give. */
  problems?: ErrorCode[];
}

/** Title, version and description of the document. */
export interface OpenApiInfo {
  title: string;
  version: string;
  description: string;
}

/** Problems that belong to a kind of access. */
const accessProblems: Record<RouteAccess, ErrorCode[]> = {
  // reads a minute, and the share of work: who is known is counted
  user: ["unauthenticated", "forbidden", "rate_limited"],
  service: ["unauthenticated", "forbidden"],
  token: ["token_invalid", "token_expired"],
  anyone: [],
};

/** Problems of every body: its headers, its length, its pace. */
const bodyProblems: ErrorCode[] = ["invalid_request", "body_too_large", "body_stalled"];

const security: Record<RouteAccess, Record<string, never[]>[]> = {
  user: [{ userToken: [] }, { secretKey: [] }],
  service: [{ secretKey: [] }],
  token: [{ urlToken: [] }],
  anyone: [],
};

/** The document, as plain JSON with a stable order. */
export function openApiDocument(
  info: OpenApiInfo,
  routes: RouteDescription[],
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info,
    servers: [{ url: "/functions/v1" }],
    paths,
    components: {
      securitySchemes: {
        userToken: {
          type: "http",
          scheme: "bearer",
          description: "A Supabase user's access token.",
        },
        secretKey: {
          type: "apiKey",
          in: "header",
          name: "apikey",
          description: "A secret key of the project; `x-sediment-user` names the user it acts for.",
        },
        urlToken: {
          type: "apiKey",
          in: "query",
          name: "token",
          description: "Part of a URL that this service gave.",
        },
      },
      schemas: { Problem: problemSchema() },
    },
  };
}

function operation(route: RouteDescription): Record<string, unknown> {
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...queryParameters(route.query),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      in: "header",
      required: false,
      description,
      schema: { type: "string" },
    })),
  ];
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    security: security[route.access],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: contentOf(route.body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map((
          [status, { description, schema, mediaType }],
        ) => [status, {
          description,
          ...(schema === undefined && mediaType === undefined ? {} : {
            content: {
              [mediaType ?? "application/json"]: schema === undefined
                ? {}
                : { schema: json(schema, "output") },
            },
          }),
        }]),
      ),
      ...problemsOf(route),
    },
  };
}

function queryParameters(query: z.$ZodType | undefined): Record<string, unknown>[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = json(query, "input") as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function contentOf(body: NonNullable<RouteDescription["body"]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).map(([mediaType, schema]) => [
      mediaType,
      typeof schema === "string"
        ? { schema: { type: "string", format: "binary", description: schema } }
        : { schema: json(schema, "input") },
    ]),
  );
}

function problemsOf(route: RouteDescription): Record<string, unknown> {
  const codes = [
    ...accessProblems[route.access],
    ...(route.body === undefined ? [] : bodyProblems),
    ...(route.problems ?? []),
  ];
  const byStatus = Map.groupBy(new Set(codes), (code) => errorKinds[code].status);
  return Object.fromEntries(
    [...byStatus.entries()].sort(([a], [b]) => a - b).map(([status, codes]) => [status, {
      description: codes.map((code) => `\`${code}\`: ${errorKinds[code].title}`).join("; "),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    }]),
  );
}

function problemSchema(): Record<string, unknown> {
  const text = { type: "string" };
  return {
    description: "RFC 9457. Clients branch on `code`; `detail` is for people.",
    type: "object",
    required: ["type", "title", "status", "detail", "code", "request_id"],
    properties: {
      type: text,
      title: text,
      status: { type: "integer" },
      detail: text,
      code: { type: "string", enum: Object.keys(errorKinds).sort() },
      request_id: text,
      field: { ...text, description: "What was wrong: a field, a header, a part of the file." },
      expected: { ...text, description: "What was expected there." },
    },
  };
}

function json(schema: z.$ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (io === "input") addOlderSpellings(jsonSchema);
      if (jsonSchema.pattern === uuidPattern.source) jsonSchema.format = "uuid";
    },
  });
  return rest;
}

function addOlderSpellings({ properties }: z.JSONSchema.BaseSchema): void {
  if (properties === undefined) return;
  for (const [older, name] of Object.entries(olderSpellings)) {
    const property = properties[name];
    if (typeof property !== "object") continue;
    properties[older] = {
      ...property,
      deprecated: true,
      description: `Older spelling of \`${name}\`.`,
    };
  }
}
