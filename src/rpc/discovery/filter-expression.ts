// Filters as expressions: CEL over what an instance says of itself.

import { CelScalar, celEnv, isCelError, listType, mapType, parse, plan } from '@bufbuild/cel';
import type { Filter } from '../../domain/discovery/filter.ts';
import type { Instance } from '../../domain/discovery/instance.ts';
import { reasonError } from '../checks/errors.ts';

const ENVIRONMENT = celEnv({
  variables: {
    metadata: mapType(CelScalar.STRING, CelScalar.STRING),
    tags: listType(CelScalar.STRING),
    version: CelScalar.STRING,
    zone: CelScalar.STRING,
    host: CelScalar.STRING,
    port: CelScalar.INT,
    weight: CelScalar.INT,
    instance_id: CelScalar.STRING,
  },
});
/** What an expression does not say of one instance, it says of none. */
const WRONG_FOR_ALL = /unresolved attribute|unbound function|no matching overload/;
const MAX_KNOWN = 100;
/** Each loop within a loop multiplies the time that an expression takes, during which the gateway does nothing else. */
const MAX_LOOP_DEPTH = 1;

/** Returns the filter for an expression; undefined for an empty one. Throws FILTER_INVALID, with the place where it does not parse. */
export type ExpressionFilters = (expression: string) => Filter | undefined;

/** Creates it. The last 100 expressions are remembered, with what they say of the instances that there are. */
export function createExpressionFilters(): ExpressionFilters {
  const known = new Map<string, Filter>();
  return (expression) => {
    if (expression === '') return undefined;
    const filter = known.get(expression) ?? remembering(compile(expression));
    known.delete(expression);
    known.set(expression, filter);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    return filter;
  };
}

function remembering(filter: Filter): Filter {
  const said = new WeakMap<Instance, boolean>();
  return (instance) => {
    const before = said.get(instance);
    if (before !== undefined) return before;
    const passes = filter(instance);
    said.set(instance, passes);
    return passes;
  };
}

function compile(expression: string): Filter {
  try {
    const parsed = parse(expression);
    if (loopDepth(parsed.expr) > MAX_LOOP_DEPTH) throw new Error('a loop stands within another loop');
    const evaluate = plan(ENVIRONMENT, parsed);
    const run = ({ metadata, tags, version, zone, host, port, weight, instanceId }: Sample) =>
      evaluate({
        metadata: new Map(Object.entries(metadata)),
        tags: [...tags],
        version,
        zone,
        host,
        port: BigInt(port),
        weight: BigInt(weight),
        instance_id: instanceId,
      });
    const sample = run(SAMPLE);
    if (isCelError(sample) ? WRONG_FOR_ALL.test(sample.message) : typeof sample !== 'boolean')
      throw new Error(isCelError(sample) ? sample.message : 'it is no condition');
    // What an instance does not have is no fault of the expression.
    return (instance) => run(instance) === true;
  } catch (error) {
    const description = error instanceof Error ? error.message.replace(/^\[\w+\] /, '') : String(error);
    throw reasonError(
      'FILTER_INVALID',
      `The filter's expression cannot be used: ${description}`,
      { description },
      error,
    );
  }
}

/** How many loops (`all`, `exists`, `map`, …) stand within each other; one over what another one made stands beside it. */
function loopDepth(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 0;
  if (!('iterRange' in node)) return Math.max(0, ...Object.values(node).map(loopDepth));
  const { iterRange, ...body } = node;
  return Math.max(loopDepth(iterRange), 1 + loopDepth(body));
}

type Sample = Pick<
  Instance,
  'metadata' | 'tags' | 'version' | 'zone' | 'host' | 'port' | 'weight' | 'instanceId'
>;

const SAMPLE: Sample = {
  metadata: {},
  tags: [],
  version: '',
  zone: '',
  host: '',
  port: 1,
  weight: 1,
  instanceId: '',
};
