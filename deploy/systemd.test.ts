import t from 'tap';
import { pathsOf } from './paths.ts';
import { unitText } from './systemd.ts';

t.test(
  'the unit runs the supervisor, without the guard that stands in for systemd, and quotes paths',
  async (t) => {
    const unit = unitText('lab', pathsOf('/srv/my data'));
    const start = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '';
    t.match(start, /deploy\/supervisor\.ts" "\/srv\/my data" "--no-guard"$/);
    t.match(unit, /^Restart=always$/m);
    t.match(unit, /^WantedBy=multi-user\.target$/m);
    t.match(unitText('lab', pathsOf('/srv/100%')), /"\/srv\/100%%"/);
  },
);
