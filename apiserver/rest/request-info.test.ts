import { test } from 'tap';
import { parseRequest } from './request-info.ts';

const cases: [request: string, expected: object][] = [
  ['GET /api/v1/pods', { verb: 'list', resource: 'pods', namespace: '', name: '' }],
  ['GET /api/v1/namespaces/ns/pods', { verb: 'list', resource: 'pods', namespace: 'ns' }],
  ['GET /api/v1/namespaces/ns/pods?watch=true', { verb: 'watch' }],
  ['GET /api/v1/namespaces/ns/pods?watch=false', { verb: 'list' }],
  ['GET /api/v1/namespaces/ns/pods/p', { verb: 'get', name: 'p', subresource: '' }],
  ['GET /api/v1/namespaces/ns/pods/p/log?follow=1', { verb: 'get', name: 'p', subresource: 'log' }],
  ['POST /api/v1/namespaces/ns/pods', { verb: 'create', resource: 'pods' }],
  ['PUT /api/v1/namespaces/ns/pods/p/status', { verb: 'update', subresource: 'status' }],
  [
    'PATCH /apis/apps/v1/namespaces/ns/deployments/d',
    { verb: 'patch', group: 'apps', version: 'v1', resource: 'deployments' },
  ],
  ['DELETE /api/v1/namespaces/ns/pods/p', { verb: 'delete' }],
  ['DELETE /api/v1/namespaces/ns/pods', { verb: 'deletecollection' }],
  ['GET /api/v1/namespaces', { verb: 'list', resource: 'namespaces', namespace: '' }],
  ['GET /api/v1/namespaces/ns', { verb: 'get', resource: 'namespaces', name: 'ns', namespace: 'ns' }],
  [
    'PUT /api/v1/namespaces/ns/finalize',
    { verb: 'update', resource: 'namespaces', name: 'ns', subresource: 'finalize' },
  ],
  ['GET /api/v1/nodes/n/proxy/stats/summary', { subresource: 'proxy', rest: ['stats', 'summary'] }],
  ['GET /api/v1/namespaces/a%20b/pods/p', { namespace: 'a b' }],
  ['GET //api//v1/pods/', { resource: 'pods', verb: 'list' }],
  ['GET /api', { isResource: false, verb: 'get' }],
  ['GET /apis/apps/v1', { isResource: false }],
  ['GET /healthz', { isResource: false, path: '/healthz' }],
];

for (const [request, expected] of cases)
  test(`reads ${request}`, (t) => {
    const [method = '', url = ''] = request.split(' ');
    t.match(parseRequest(method, url), expected);
    t.end();
  });

test('refuses a path that does not decode', (t) => {
  t.throws(() => parseRequest('GET', '/api/v1/namespaces/%zz/pods'), URIError);
  t.end();
});
