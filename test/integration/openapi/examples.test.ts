import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ExampleRequest,
  exampleRequests,
  readOpenApiDocument,
} from '../../support/open-api-document.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const TIMEOUT_MS = 60_000;
const document = readOpenApiDocument();
const answers = new Map<string, unknown>();
const ends = new AbortController();

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({
    CONCORD_SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
  });
});

afterAll(async () => {
  ends.abort();
  await gateway?.[Symbol.asyncDispose]();
});

describe('the examples of the OpenAPI document, in its order', () => {
  const validator = createValidator();

  for (const example of exampleRequests(document)) {
    const { operation, httpMethod, path, name } = example;
    it(`${[operation.operationId, name].filter(Boolean).join(', ')}: ${httpMethod} ${path} works and answers as its schema says`, {
      timeout: TIMEOUT_MS,
    }, async () => {
      const { url, init } = requestOf(gateway.url, example);
      const response = await fetch(url, { ...init, signal: ends.signal });
      const type = response.headers.get('content-type') ?? '';
      expect(type).toBe(typesOf(example)[0]);
      const answer = await firstOf(response);
      expect({ status: response.status, answer }).toMatchObject({ status: 200 });
      answers.set(operation.operationId, answer);
      expect(validator(example, type, answer)).toEqual([]);
      const shown = operation.responses['200']?.content?.[type]?.example;
      if (typeof shown === 'object' && shown !== null && typeof answer === 'object' && answer !== null)
        expect(Object.keys(answer).sort()).toEqual(Object.keys(shown).sort());
    });
  }

  it('answer as the schema of errors says where they fail', async () => {
    const failed = await (await fetch(`${gateway.url}/v1/kv/missing`)).json();
    expect(failed).toMatchObject({ details: [{ debug: { reason: 'KEY_NOT_FOUND' } }] });
    const refused = await (await fetch(`${gateway.url}/v1/kv?pageSize=1001`)).json();
    expect(refused).toMatchObject({ details: [{ debug: { reason: 'FIELD_INVALID' } }, {}] });
    const classic = await (await fetch(`${gateway.url}/etcd/kv/missing`)).json();
    expect(classic).toMatchObject({ reason: 'KEY_NOT_FOUND' });
    const ajv = createAjv();
    expect(ajv.validate({ $ref: 'document#/components/schemas/Error' }, failed), ajv.errorsText()).toBe(true);
    expect(ajv.validate({ $ref: 'document#/components/schemas/Error' }, refused), ajv.errorsText()).toBe(
      true,
    );
    expect(
      ajv.validate({ $ref: 'document#/components/schemas/ClassicError' }, classic),
      ajv.errorsText(),
    ).toBe(true);
  });
});

function typesOf({ operation }: ExampleRequest): readonly string[] {
  return Object.keys(operation.responses['200']?.content ?? {});
}

/** Makes the request, with what it takes from answers before. */
function requestOf(baseUrl: string, { operation, httpMethod, path, parameters, body }: ExampleRequest) {
  const fields = structuredClone(body) as Record<string, unknown> | undefined;
  const values = { ...parameters };
  for (const [name, source] of Object.entries(operation['x-concord-takes'] ?? {})) {
    const [from = '', pointer = ''] = source.split('#');
    const taken = valueAt(answers.get(from), pointer);
    expect(taken, `${name} of ${source}`).toBeDefined();
    if (fields !== undefined && name in fields) fields[name] = taken;
    else values[name] = taken;
  }
  const query = new URLSearchParams();
  let target = path;
  for (const { name, in: place } of operation.parameters ?? []) {
    const value = values[name];
    if (value === undefined) continue;
    if (place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(String(value)));
    else for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each));
  }
  return {
    url: `${baseUrl}${target}?${query}`,
    init: {
      method: httpMethod,
      ...(fields !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(fields),
      }),
    },
  };
}

function valueAt(answer: unknown, pointer: string): unknown {
  return pointer
    .slice(1)
    .split('/')
    .reduce<unknown>((held, name) => (held as Readonly<Record<string, unknown>> | undefined)?.[name], answer);
}

/** The whole answer, or the first line of a stream, which stays open. */
async function firstOf(response: Response): Promise<unknown> {
  if (response.headers.get('content-type') !== 'application/x-ndjson') return response.json();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('\n')) {
    const next = await reader?.read();
    if (next?.value === undefined) throw new Error(`the stream ended after ${text}`);
    text += next.value;
  }
  return JSON.parse(text.slice(0, text.indexOf('\n')));
}

/** Returns what is wrong with an answer, and with the example of a body. */
function createValidator(): (example: ExampleRequest, type: string, answer: unknown) => readonly string[] {
  const ajv = createAjv();
  return ({ path, httpMethod, body }, type, answer) => {
    const operation = `document#/paths/${escaped(path)}/${httpMethod.toLowerCase()}`;
    const checks: readonly (readonly [string, unknown])[] = [
      [`${operation}/responses/200/content/${escaped(type)}/schema`, answer],
      ...(body === undefined
        ? []
        : [[`${operation}/requestBody/content/application~1json/schema`, body] as const]),
    ];
    return checks.flatMap(([$ref, value]) => (ajv.validate({ $ref }, value) ? [] : [ajv.errorsText()]));
  };
}

/** What a schema does not name is an error here, so that an answer shows what is missing in the document. */
function createAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const closed = JSON.parse(JSON.stringify(document), (_, value: unknown) =>
    typeof value === 'object' && value !== null && 'properties' in value && 'type' in value
      ? { additionalProperties: false, ...value }
      : value,
  ) as object;
  ajv.addSchema({ $id: 'document', ...closed });
  return ajv;
}

function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
