import t from 'tap';
import { controllers, selectControllers, UnknownControllerError } from './controllers.ts';

const all = ['a-controller', 'b-controller', 'c-controller'].map((name) => ({
  name,
  aliases: [name[0]!],
  setUp: () => undefined,
}));
const selected = (...requested: string[]) => selectControllers(all, requested).map(({ name }) => name[0]);

t.test('--controllers names, excludes, or takes all', async (t) => {
  t.same(selected('*'), ['a', 'b', 'c']);
  t.same(selected('*', '-b'), ['a', 'c']);
  t.same(selected('-b-controller', '*'), ['a', 'c']);
  t.same(selected('c', 'a-controller'), ['a', 'c']);
  t.same(selected('b', '-b'), []);
});

t.test('an unknown name is refused with the list of known ones', async (t) => {
  t.throws(() => selected('*', '-nope'), UnknownControllerError);
  t.throws(() => selected('nope'), {
    message: /"nope" is not in the list of known controllers: a-controller, b-controller/,
  });
});

t.test('every controller has a name of its own', async (t) => {
  const names = controllers.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  t.equal(new Set(names).size, names.length);
});
