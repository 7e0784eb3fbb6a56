// Shows the OpenAPI document with Swagger UI. Runs in the browser, as the page of createDocs loads it.

/** How long a stream that is tried out is listened to, in milliseconds: the viewer shows whole answers only. */
const LISTEN_MS = 3_000;

window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#viewer',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // It would send the document to a service on the Internet.
  validatorUrl: null,
  requestInterceptor: (request) => Object.assign(request, { userFetch: fetchWhole }),
});

/** Fetches; a stream that is still open after a while is ended, and what came until then is the answer. */
async function fetchWhole(url, request) {
  const end = new AbortController();
  const response = await fetch(url, { ...request, signal: end.signal });
  if (!/^(application\/x-ndjson|text\/event-stream)/.test(response.headers.get('content-type')))
    return response;
  setTimeout(() => end.abort(), LISTEN_MS);
  let text = '';
  try {
    // Not every browser can iterate over a stream.
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  } catch (error) {
    if (!end.signal.aborted) throw error;
  }
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(text, { status, statusText, headers }), 'url', { value: url });
}
