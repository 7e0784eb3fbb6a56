import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';

const documents = createDocuments();

describe('a schema', () => {
  it.each([
    'true',
    '{}',
    '{"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}',
    '{"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]}',
    '{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"}',
    '{"unknown": {"type": 9}, "x-more": [1]}',
    '{"properties": {"$async": {"type": "string"}}}',
    '{"format": "there is none of this name"}',
    '{"$id": "https://example.com/a", "$ref": "b", "$defs": {"b": {"$id": "b"}}}',
  ])('has no problem: %s', (schema) => {
    expect(documents.schemaProblem(schema)).toBeUndefined();
  });

  it.each<[string, string, number, string]>([
    ['{\n"type" 1}', '', 2, 'must be JSON: a colon is expected here'],
    ['"sesame"', '', 1, 'must be an object or a boolean'],
    ['{"properties": {"a":\n{"minLength": -1}}}', '/properties/a/minLength', 2, 'must be >= 0'],
    ['{"required": "a"}', '/required', 1, 'must be array'],
    [
      '{"$schema": "http://json-schema.org/draft-04/schema#"}',
      '/$schema',
      1,
      'must be of draft 2020-12 or draft-07',
    ],
    [
      '{"properties":\n{"a":\n{"$ref": "https://example.com/a.json"}}}',
      '/properties/a',
      3,
      'must refer to nothing that is not in it ($ref)',
    ],
    ['{"$ref": "#/$defs/none"}', '', 1, 'must refer to nothing that is not in it ($ref)'],
    ['{"$async": true}', '', 1, 'must not hold $async'],
    ['{"$async": {}}', '', 1, 'must not hold $async'],
    ['{"properties": {"a": {"$async": true}}}', '/properties/a', 1, 'must not hold $async'],
    [
      '{"properties": {"a":\n{"pattern": "("}}}',
      '/properties/a',
      2,
      'must have a pattern that is a regular expression',
    ],
    ['{"patternProperties": {"(": true}}', '', 1, 'must have a pattern that is a regular expression'],
    [`{"title": "${'x'.repeat(65_536)}"}`, '', 0, 'must not be longer than 65536 characters'],
    [`${'{"not":'.repeat(300)}{}${'}'.repeat(300)}`, '', 1, 'must not be nested deeper than 256 levels'],
    [
      '{"$id": "https://json-schema.org/draft/2020-12/schema"}',
      '',
      1,
      'must be a schema that can be compiled',
    ],
  ])('has a problem: %.80s', (schema, path, line, message) => {
    expect(documents.schemaProblem(schema)).toEqual({ path, line, message });
  });

  it('has no problem for having the name of another', () => {
    const named = (type: string) => JSON.stringify({ $id: 'https://example.com/a', type });
    expect(documents.violations(named('string'), 'text', 'x')).toEqual([]);
    expect(documents.violations(named('number'), 'number', '1')).toEqual([]);
    expect(documents.violations(named('number'), 'text', 'x')).toHaveLength(1);
  });

  it('runs no code', () => {
    const code = 'globalThis.ran=true';
    const schema = JSON.stringify({
      title: `\u2028${code}`,
      $comment: `*/${code}/*`,
      properties: { [`"];${code};//`]: { type: 'string' }, [`\${${code}}`]: { const: `\`\${${code}}\`` } },
      required: [`'+(${code})+'`],
      pattern: `/;${code};/`,
      format: `"+(${code})+"`,
      dependentRequired: { [`'+(${code})+'\u2028`]: [`'];${code};//`] },
    });
    documents.violations(schema, 'json', '{"a": 1}');
    documents.violations(schema, 'text', 'a');
    expect(globalThis).not.toHaveProperty('ran');
  });

  it('is still known after more schemas than are kept', () => {
    const schemas = Array.from({ length: 250 }, (_, i) => `{"const": ${i}}`);
    const found = [...schemas, ...schemas].map(
      (schema) => documents.violations(schema, 'number', '7').length,
    );
    expect(found.filter((count) => count === 0)).toHaveLength(2);
  });
});
