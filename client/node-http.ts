/**
 * node:http, not through `import`: an ES module import of it reads every export, among them `WebSocket`, whose
 * getter loads all of undici. That costs each process 10 MiB for nothing (Node 24).
 */
export const http = process.getBuiltinModule('node:http');
