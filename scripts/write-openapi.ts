// Writes gen/openapi.json: the OpenAPI document, made from the contracts and the table of the classic routes.

import { writeOpenApi } from './openapi/write-openapi.ts';

writeOpenApi('gen/openapi.json');
