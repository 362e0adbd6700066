import t from 'tap';
import { importProblems } from './check-imports.ts';

t.test('a process imports the vocabulary, the client and itself, nothing else of ours', async (t) => {
  for (const [path, text, wrong] of [
    ['kubelet/main.ts', "import { a } from './pods/a.ts';", 0],
    [
      'kubelet/pods/a.ts',
      "import { b } from '../../api/b.ts';\nimport fs from 'node:fs';\nimport ws from 'ws';",
      0,
    ],
    ['kubelet/pods/a.ts', "import type { b } from '../../scheduler/b.ts';", 1],
    ['kubelet/pods/a.ts', "export * from '../../store/b.ts';", 1],
    ['proxy/a.ts', "const x = await import('../kubelet/x.ts');", 1],
    ['proxy/a.ts', "import '../kubelet/x.ts';", 1],
    ['proxy/a.ts', "import {\n  one,\n  two,\n} from '../deploy/x.ts';", 1],
    ['store/main.ts', "import { c } from '../client/c.ts';", 1],
    ['client/a.ts', "import { c } from '../apiserver/c.ts';", 1],
    ['api/a.ts', "import { readFileSync } from 'node:fs';", 1],
    ['api/a.ts', "import type { Readable } from 'node:stream';\nimport { Buffer } from 'node:buffer';", 0],
    ['api/a.ts', "import { c } from '../client/c.ts';", 1],
    ['proxy/a.test.ts', "import { start } from '../apiserver/start.ts';", 0],
  ] as const)
    t.equal(importProblems(path, text).length, wrong, `${path}: ${text}`);
});
