// How rpcs are reached by plain HTTP, as their annotations say.

import { type DescMethod, type DescService, getOption, hasOption } from '@bufbuild/protobuf';
import { http } from '../../../gen/google/api/annotations_pb.ts';
import type { HttpRule } from '../../../gen/google/api/http_pb.ts';
import { compileTemplate, type PathTemplate } from './path-template.ts';

/** One way to reach an rpc. */
export interface HttpBinding {
  readonly method: DescMethod;
  /** Such as GET. */
  readonly httpMethod: string;
  /** As it is written in the annotation. */
  readonly path: string;
  readonly template: PathTemplate;
  /** The field that the body holds; `*`: all that the path does not; empty: there is no body. */
  readonly body: string;
}

/** Returns the bindings of services, in the order of their rpcs. Throws an Error for an annotation that is not understood. */
export function readHttpBindings(services: readonly DescService[]): readonly HttpBinding[] {
  return services.flatMap(({ methods }) =>
    methods.flatMap((method) => {
      if (!hasOption(method, http)) return [];
      const rule = getOption(method, http);
      return [rule, ...rule.additionalBindings].map((each) => bindingOf(method, each));
    }),
  );
}

function bindingOf(method: DescMethod, { pattern, body }: HttpRule): HttpBinding {
  if (pattern.case === undefined || pattern.case === 'custom')
    throw new Error(`the HTTP rule of ${method.parent.typeName}/${method.name} names no method`);
  return {
    method,
    httpMethod: pattern.case.toUpperCase(),
    path: pattern.value,
    template: compileTemplate(pattern.value),
    body,
  };
}
