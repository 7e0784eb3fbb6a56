import { Code } from '@connectrpc/connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { openRawSocket, requestHttp2, toHeaders } from './raw-http.ts';
import { startToy } from './toy-server.ts';

const CHECK = '/grpc.health.v1.Health/Check';
const GET = '/concord.kv.v1.KvService/Get';

describe('an unknown path', () => {
  it.each([
    ['application/grpc', 'application/grpc+proto'],
    ['application/grpc+json', 'application/grpc+json'],
    ['application/grpc+thrift', 'application/grpc+proto'],
    ['application/grpc-web+proto', 'application/grpc-web+proto'],
    ['Application/gRPC-Web+JSON; charset=utf-8', 'application/grpc-web+json'],
  ])('is a status without a body for %s, in the same codec', async (contentType, answered) => {
    await using toy = await startToy();
    const answer = await requestHttp2(toy.baseUrl, {
      ':path': '/no.such.Service/Rpc',
      'content-type': contentType,
    });
    expect(answer.headers).toMatchObject({ ':status': 200, 'content-type': answered, 'grpc-status': '12' });
    expect(answer.endsWithHead).toBe(true);
    const error = findTrailerError(toHeaders(answer.headers));
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([
      { domain: 'concord', reason: 'NOT_SUPPORTED' },
    ]);
    expect(toy.seen).toEqual([]);
  });

  it.each(PROTOCOLS)('is UNIMPLEMENTED to a client of $name', async (protocol) => {
    await using toy = await startToy({}, { routes: () => {} });
    const failure = await failureOf(toy.health(protocol).check({}));
    expect(failure).toMatchObject({ code: 'Unimplemented', reason: 'NOT_SUPPORTED' });
  });

  it.each(['GET', 'POST', 'PUT'])('is 404 with an error body for a %s of anything else', async (method) => {
    await using toy = await startToy();
    const response = await fetch(`${toy.baseUrl}/nothing/here`, { method });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'unimplemented',
      message: expect.stringContaining('/nothing/here'),
      details: [{ type: 'google.rpc.ErrorInfo', debug: { domain: 'concord', reason: 'NOT_SUPPORTED' } }],
    });
  });
});

describe('a request that does not fit its rpc', () => {
  const malformed = {
    code: 'invalid_argument',
    details: [{ debug: { domain: 'concord', reason: 'REQUEST_MALFORMED' } }],
  };

  it.each([
    ['text/plain', 'POST'],
    ['application/grpc-web-text', 'POST'],
    ['application/grpc+thrift', 'POST'],
    ['application/connect+proto', 'POST'],
  ])('is 415 with a reason for content type %s', async (contentType, method) => {
    await using toy = await startToy();
    const response = await fetch(toy.baseUrl + CHECK, {
      method,
      headers: { 'content-type': contentType },
      body: 'x',
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([415, 'application/json']);
    expect(await response.json()).toMatchObject(malformed);
    expect(toy.seen[0]?.outcomes).toMatchObject([
      { code: Code.InvalidArgument, reason: 'REQUEST_MALFORMED' },
    ]);
  });

  it.each([
    ['GET', CHECK, 'POST'],
    ['PUT', CHECK, 'POST'],
    ['DELETE', GET, 'POST, GET'],
    ['OPTIONS', GET, 'POST, GET'],
  ])('is 405 with a reason for %s %s', async (method, path, allow) => {
    await using toy = await startToy();
    const response = await fetch(toy.baseUrl + path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject(malformed);
    expect(toy.seen[0]?.outcomes).toMatchObject([
      { code: Code.InvalidArgument, reason: 'REQUEST_MALFORMED' },
    ]);
  });

  it('is refused with a reason for a header that is not one', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    client.send(`POST ${CHECK} HTTP/1.1\r\nHost: x\r\nX-Y: \x01\r\nContent-Length: 0\r\n\r\n`);
    expect(await client.closed).toMatch(/^HTTP\/1.1 400 .*REQUEST_MALFORMED/s);
  });

  it('is 431 with a reason where its headers are too long', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    client.send(`GET ${GET}?message=${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await client.closed).toMatch(/^HTTP\/1.1 431 .*REQUEST_MALFORMED/s);
  });
});
