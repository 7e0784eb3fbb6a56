import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { FieldRulesSchema } from '../../../gen/buf/validate/validate_pb.ts';
import { ListRequestSchema, WatchRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { boundsInWords, defaultIn } from '../../../scripts/openapi/field-words.ts';

type Rules = MessageInitShape<typeof FieldRulesSchema>;

describe('the bounds of a field in words', () => {
  it.each<[string, string, Rules]>([
    ['The key.', 'At most 4096 bytes.', { type: { case: 'string', value: { maxBytes: 4096n } } }],
    ['The key.', '1 to 64 bytes.', { type: { case: 'string', value: { minBytes: 1n, maxBytes: 64n } } }],
    ['At most 4096 bytes.', '', { type: { case: 'string', value: { maxBytes: 4096n } } }],
    ['The key.', 'At most 8 bytes.', { type: { case: 'bytes', value: { maxLen: 8n } } }],
    [
      'The token.',
      'More than 0.',
      { type: { case: 'int64', value: { greaterThan: { case: 'gt', value: 0n } } } },
    ],
    ['From 1.', '', { type: { case: 'int64', value: { greaterThan: { case: 'gte', value: 1n } } } }],
    [
      'How long.',
      'At least 0.1 s. At most 60 s.',
      {
        type: {
          case: 'duration',
          value: {
            greaterThan: { case: 'gte', value: { nanos: 100_000_000 } },
            lessThan: { case: 'lte', value: { seconds: 60n } },
          },
        },
      },
    ],
    // JSON Schema has a word for it.
    ['How many.', '', { type: { case: 'int32', value: { lessThan: { case: 'lte', value: 9 } } } }],
  ])('after "%s" are "%s"', (comment, words, rules) => {
    expect(boundsInWords(create(FieldRulesSchema, rules), comment).join(' ')).toBe(words);
  });
});

describe('the default that a comment names', () => {
  const { field } = ListRequestSchema;

  it.each([
    [field.view, 'How much. Default: VIEW_FULL.', 'VIEW_FULL'],
    [field.view, 'How much. Default: VIEW_NONE.', undefined],
    [field.pageSize, 'At most. Default: 100. A page may be shorter.', 100],
    [field.minRevision, 'No older. Default: 0, no bound.', '0'],
    [field.prefix, 'The profile. Default: `default`.', 'default'],
    [field.prefix, 'The first key. Default: the first key there is.', undefined],
    [WatchRequestSchema.field.checkpointInterval, 'How often. Default: 15 s.', '15s'],
    [WatchRequestSchema.field.checkpointInterval, 'How often. Default: 5 minutes.', '300s'],
    [WatchRequestSchema.field.checkpointInterval, 'How long. Default: 0, it is gone at once.', '0s'],
    [WatchRequestSchema.field.keysOnly, 'Leaves values out.', undefined],
  ] as const)('of %s, %s', (descriptor, comment, value) => {
    expect(defaultIn(descriptor, comment)).toBe(value);
  });
});
