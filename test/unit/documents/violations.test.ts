import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';
import type { ContentType } from '../../../src/domain/config/document.ts';

const documents = createDocuments();

const SERVER = JSON.stringify({
  required: ['server', 'name'],
  properties: {
    server: {
      type: 'object',
      required: ['host'],
      properties: {
        host: true,
        port: { type: 'integer', maximum: 65_535 },
        mode: { enum: ['a', 'b'] },
        'x/y~z': { const: 3 },
      },
      additionalProperties: false,
    },
    list: { items: { properties: { id: { type: 'string', pattern: '^id-' } } } },
  },
  propertyNames: { maxLength: 8 },
});

function places(contentType: ContentType, text: string): readonly string[] {
  return documents
    .violations(SERVER, contentType, text)
    .map(({ path, line, message }) => `${path}:${line} ${message}`);
}

describe('what breaks a schema', () => {
  it('is told by its place in YAML', () => {
    const text = [
      'server:',
      '  port: 70000',
      '  mode: sesame',
      '  x/y~z: 4',
      '  more: 1',
      'list:',
      '  - id: id-1',
      '  - {x: 1,',
      '     id: sesame}',
      'averylongname: 1',
    ].join('\n');
    expect(places('yaml', text).toSorted()).toEqual([
      '/averylongname:10 has a name that must NOT have more than 8 characters',
      '/list/1/id:9 must match pattern "^id-"',
      '/server/mode:3 must be one of "a", "b"',
      '/server/more:5 must not be there',
      '/server/port:2 must be <= 65535',
      '/server/x~1y~0z:4 must be 3',
      '/server:1 must have the property "host"',
      ':1 must have the property "name"',
    ]);
  });

  it('is told by its place in JSON', () => {
    const text = '{"name": 1,\n"server": {"host": 1,\n"port": "sesame"},\n"list": [{},\n{"id": 5}]}';
    expect(places('json', text)).toEqual(['/server/port:3 must be integer', '/list/1/id:5 must be string']);
  });

  it('is told by its place in TOML', () => {
    const text = [
      '# a comment = 1',
      'name = """',
      'port = 1',
      '"""',
      '[[list]]',
      'id = "id-1"',
      '[[list]]',
      '',
      'id = "sesame"',
      '[server]',
      'host = [',
      '  "port = 2", # ]',
      ']',
      'port = 70000',
    ].join('\n');
    expect(places('toml', text)).toEqual([
      '/server/port:14 must be <= 65535',
      '/list/1/id:9 must match pattern "^id-"',
    ]);
  });

  it('is told by its place in properties', () => {
    const schema = '{"required": ["b"], "properties": {"a.b": {"pattern": "^x"}}}';
    expect(documents.violations(schema, 'properties', '# c\n\na.b = \\\n sesame')).toEqual([
      { path: '', line: 1, message: 'must have the property "b"' },
      { path: '/a.b', line: 3, message: 'must match pattern "^x"' },
    ]);
  });

  it('is told of a value that is no map', () => {
    expect(documents.violations('{"minimum": 3}', 'number', '2')).toEqual([
      { path: '', line: 1, message: 'must be >= 3' },
    ]);
    expect(documents.violations('{"format": "email"}', 'text', 'sesame')).toEqual([
      { path: '', line: 1, message: 'must match format "email"' },
    ]);
    expect(documents.violations('{"maxLength": 3}', 'boolean', 'true')).toEqual([]);
  });

  it('is a value that does not parse', () => {
    expect(documents.violations('true', 'json', '{\n')).toEqual([
      { path: '', line: 2, message: 'must be JSON: the name of a member is expected here' },
    ]);
  });

  it('is a property that an object has of its nature only', () => {
    expect(documents.violations('{"required": ["toString"]}', 'json', '{}')).toHaveLength(1);
  });

  it('is told at no more than 20 places', () => {
    const text = JSON.stringify(Array.from({ length: 100 }, () => 1));
    expect(documents.violations('{"items": {"type": "string"}}', 'json', text)).toHaveLength(20);
  });

  it('is read as the draft says that the schema names', () => {
    const draft07 = '{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}';
    expect(documents.violations(draft07, 'json', '["a", 1]')).toEqual([]);
    expect(documents.violations(draft07, 'json', '[1]')).toHaveLength(1);
    expect(documents.violations('{"prefixItems": [{"type": "string"}]}', 'json', '[1]')).toHaveLength(1);
  });

  it('never holds what the value holds', () => {
    const schema = JSON.stringify({
      properties: {
        a: { const: 1 },
        b: { enum: [1, 2] },
        c: { pattern: 'x' },
        d: { format: 'uri' },
        e: { uniqueItems: true },
        f: { contains: { type: 'number' } },
        g: { not: {} },
        h: false,
        i: { oneOf: [{ type: 'number' }, { maxLength: 1 }] },
        j: { if: false, else: { minLength: 99 } },
        k: { multipleOf: 3 },
        l: { enum: [1] },
      },
    });
    const keys = Object.keys((JSON.parse(schema) as { properties: object }).properties);
    const values = keys.map((key) => [key, 'ef'.includes(key) ? ['sesame', 'sesame'] : 'sesame']);
    const text = JSON.stringify({ ...Object.fromEntries(values), k: 7_777_777 });
    const found = documents.violations(schema, 'json', text);
    expect(new Set(found.map(({ path }) => path.split('/')[1])).size).toBe(keys.length);
    expect(JSON.stringify(found)).not.toMatch(/sesame|7777777/);
  });
});
