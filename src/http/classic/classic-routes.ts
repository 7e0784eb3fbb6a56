// The classic routes, `/etcd/…`: the rpcs for those who think in paths and query parameters. Every answer is a flat JSON object with
// `success`.

import type { HttpCall, HttpInput, OtherMethods } from '../transcoding/create-transcoder.ts';
import { compileTemplate } from '../transcoding/path-template.ts';
import type { ClassicRoute, Fields } from './classic-route.ts';
import { CLASSIC_ROUTES } from './classic-table.ts';

/** A call of a classic route. */
export interface ClassicCall extends HttpCall {
  /** Returns what is answered in place of what the rpc answers. */
  answer(status: number, json: string): { readonly status: number; readonly json: string };
}

/** Creates what finds the call of a method and a path as it was sent; undefined: it is no classic route. */
export function createClassicRoutes(): (
  httpMethod: string,
  path: string,
) => ClassicCall | OtherMethods | undefined {
  const routes = CLASSIC_ROUTES.map((route) => ({ ...route, template: compileTemplate(route.path) })).sort(
    (a, b) => b.template.weight - a.template.weight,
  );
  return (httpMethod, path) => {
    if (!path.startsWith('/etcd/')) return undefined;
    const allow = new Set<string>();
    for (const route of routes) {
      const found = route.template.match(path);
      if (found === undefined) continue;
      if (route.httpMethod === httpMethod) return callOf(route, Object.fromEntries(found));
      allow.add(route.httpMethod);
    }
    return allow.size === 0 ? undefined : { allow: [...allow].sort() };
  };
}

function callOf(route: ClassicRoute, params: Readonly<Record<string, string>>): ClassicCall {
  let asked: HttpInput | undefined;
  return {
    rpcPath: route.rpcPath,
    request(input) {
      asked = input;
      return JSON.stringify(route.request({ ...input, params }));
    },
    answer(status, json) {
      const body = JSON.parse(json) as Fields;
      if (status !== 200) return { status, json: JSON.stringify(failureOf(body)) };
      const query = asked?.query ?? new URLSearchParams();
      return { status, json: JSON.stringify({ success: true, ...route.answer(body, { params, query }) }) };
    },
  };
}

/** What an error of Connect says, flat. */
function failureOf({ code, message, details }: Fields): Fields {
  const infos = Array.isArray(details) ? (details as readonly { readonly debug?: Fields }[]) : [];
  const reason = infos.map(({ debug }) => debug?.['reason']).find((each) => each !== undefined);
  return { success: false, code, ...(reason !== undefined && { reason }), message };
}
