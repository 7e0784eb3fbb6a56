// The classic routes of configuration.

import {
  asText,
  type ClassicRoute,
  entriesIn,
  type Fields,
  fieldsIn,
  list,
  numberIn,
  pageIn,
  profileIn,
  required,
} from './classic-route.ts';

const CONFIG = '/concord.config.v1.ConfigService';

/** The routes. */
export const CONFIG_ROUTES: readonly ClassicRoute[] = [
  {
    httpMethod: 'PUT',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Put`,
    request: ({ params, query }) => ({ ...params, value: required(query, 'value'), ...profileIn(query) }),
    answer: ({ item }) => itemFields(fieldsIn(item)),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Get`,
    request: ({ params, query }) => ({ ...params, ...profileIn(query) }),
    answer: ({ item }) => itemFields(fieldsIn(item)),
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Delete`,
    request: ({ params, query }) => ({ ...params, ...profileIn(query) }),
    answer: ({ revision, deleted }, { params }) => ({
      ...params,
      deleted: deleted === true,
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/config/{application}',
    rpcPath: `${CONFIG}/List`,
    request: ({ params, query }) => ({ ...params, ...pageIn(query), ...profileIn(query) }),
    answer: ({ items, totalSize, nextPageToken, revision }, { params }) => ({
      ...params,
      count: numberIn(totalSize),
      data: Object.fromEntries(
        list(items).map(({ key, value, valueBytes }) => [key, value ?? valueBytes ?? '']),
      ),
      revision: numberIn(revision),
      ...(nextPageToken !== undefined && { nextPageToken }),
    }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/config/{application}/batch',
    rpcPath: `${CONFIG}/Publish`,
    request: ({ params, query, body }) => ({
      ...params,
      ...profileIn(query),
      puts: entriesIn(body).map(([key, value]) => ({ key, value: asText(value), ...contentTypeOf(value) })),
    }),
    answer: ({ revision, changes }, { params }) => ({
      ...params,
      count: list(changes).length,
      revision: numberIn(revision),
    }),
  },
];

/** A text leaves the type of an item as it is. */
function contentTypeOf(value: unknown): Fields {
  switch (typeof value) {
    case 'number':
      return { content_type: 'CONTENT_TYPE_NUMBER' };
    case 'boolean':
      return { content_type: 'CONTENT_TYPE_BOOLEAN' };
    case 'string':
      return {};
    default:
      return { content_type: 'CONTENT_TYPE_JSON' };
  }
}

function itemFields({ version, revision, value, contentType, ...fields }: Fields): Fields {
  return {
    ...fields,
    ...(fields['valueBytes'] === undefined && fields['redacted'] === undefined && { value: value ?? '' }),
    contentType: String(contentType ?? '')
      .replace(/^CONTENT_TYPE_/, '')
      .toLowerCase(),
    version: numberIn(version),
    revision: numberIn(revision),
  };
}
