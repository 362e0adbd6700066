import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { RestoreFlags, SaveFlags } from './commands/store-snapshot.ts';
import { ConfigError } from './config.ts';
import { defaultDataDir } from './paths.ts';
import type { UpFlags } from './up-request.ts';
import { UserError } from './user-error.ts';

const port = (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535)
    throw new InvalidArgumentError('must be a whole number up to 65535.');
  return value;
};

const dataDirOption = () =>
  new Option('--data-dir <dir>', 'where the cluster keeps its files')
    .env('NEKALAKUBE_DATA_DIR')
    .default(defaultDataDir);

const list = (text: string) => text.split(',').filter(Boolean);

/** Commands whose arguments all belong to another program. */
const passThrough = (command: Command) =>
  command.allowUnknownOption().allowExcessArguments().helpOption(false).passThroughOptions();

interface Options {
  dataDir: string;
}

function program(): Command {
  const nkube = new Command('nkube')
    .description('A complete small Kubernetes on this machine.')
    .addOption(dataDirOption())
    .enablePositionalOptions()
    .showHelpAfterError("See 'nkube --help'.")
    .exitOverride();
  const add = (name: string, description: string) =>
    nkube.command(name).description(description).addOption(dataDirOption()).exitOverride();

  add('up', 'start the cluster, or find it running; what is missing is installed and made')
    .option('--cluster-name <name>', 'name of the cluster, of its pod network and in its labels')
    .option('--node-name <name>', "name of this node (default: the machine's hostname)")
    .option('--node-ip <address>', "this node's address (default: that of the default route)")
    .option('--cluster-cidr <cidr>', 'network of all pods (default: 10.244.0.0/16)')
    .addOption(new Option('--pod-cidr <cidr>', 'the same as --cluster-cidr').conflicts('clusterCidr'))
    .option('--service-cidr <cidr>', 'network of cluster IPs (default: 10.96.0.0/16)')
    .option('--service-node-port-range <range>', 'ports of NodePort Services (default: 30000-32767)')
    .option('--cluster-domain <domain>', 'DNS domain of the cluster (default: cluster.local)')
    .option('--cluster-dns <address>', 'address of cluster DNS (default: the tenth of --service-cidr)')
    .option('--apiserver-port <port>', "the API server's port (default: 6443)", port)
    .option('--port-offset <number>', 'added to all other ports, for a second cluster on this machine', port)
    .option('--bridge-name <name>', 'interface of the pod network (default: nkube0)')
    .option('--docker-host <url>', 'Docker Engine to use (default: unix:///var/run/docker.sock)')
    .option(
      '--etcd-servers <urls>',
      "an etcd to use in place of the own store, comma-separated URLs; '' for the own store again",
      list,
    )
    .option('--etcd-cafile <file>', 'CA that signed its certificate')
    .option('--etcd-certfile <file>', 'certificate to show to it')
    .option('--etcd-keyfile <file>', 'key of that certificate')
    .option(
      '--ignore-preflight-errors <names>',
      "checks whose errors become warnings, 'all' for all",
      list,
      [],
    )
    .action(async (options: Options & UpFlags & { ignorePreflightErrors: string[] }) => {
      const { up } = await import('./commands/up.ts');
      const { requestFrom } = await import('./up-request.ts');
      await up({
        dataDir: options.dataDir,
        request: requestFrom(options),
        ignorePreflightErrors: options.ignorePreflightErrors,
      });
    });
  add('down', "stop the cluster's processes and its pods' containers; 'up' brings all back")
    .option('--purge', 'remove it with all its data: containers, networks, routes, rules, mounts, files')
    .option('--cluster-name <name>', 'the cluster to clean up after if its data directory is lost')
    .action(async (options: Options & { purge?: boolean; clusterName?: string }) => {
      const { down } = await import('./commands/down.ts');
      await down({ ...options, purge: options.purge === true });
    });
  add('status', 'what runs and whether it is well')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['json']))
    .action(async (options: Options) => {
      const { status } = await import('./commands/status.ts');
      if (!(await status(options))) process.exitCode = 1;
    });
  add('logs', "a process's log")
    .argument('<component>', 'store, apiserver, scheduler, controller-manager, kubelet, proxy, supervisor')
    .option('-f, --follow', 'go on printing what is added')
    .option('--tail <lines>', 'only the last lines', port)
    .action(async (component: string, options: Options & { follow?: boolean; tail?: number }) => {
      const { logs } = await import('./commands/logs.ts');
      await logs({ ...options, component, follow: options.follow === true });
    });
  add('doctor', 'what is wrong with the machine and the cluster, and what to do').action(
    async (options: Options) => {
      const { doctor } = await import('./commands/doctor.ts');
      if (!(await doctor(options))) process.exitCode = 1;
    },
  );
  passThrough(add('kubectl', 'kubectl for this cluster: the one on PATH, or one that npm brings'))
    .argument('[args...]')
    .action(async (args: string[], options: Options) => {
      const { kubectl } = await import('./commands/kubectl.ts');
      await kubectl({ ...options, args });
    });
  add('kubeconfig', "print the administrator's kubeconfig")
    .option('--path', 'print where it is instead')
    .option('--merge', 'put it into $KUBECONFIG or ~/.kube/config')
    .action(async (options: Options) => {
      const { kubeconfig } = await import('./commands/kubeconfig.ts');
      await kubeconfig(options);
    });
  nkube
    .command('image')
    .description('images of the nodes')
    .exitOverride()
    .command('load')
    .description('put an image onto all nodes without a registry')
    .argument('<image>', 'name of an image of the local Docker Engine, or a tar of docker save')
    .addOption(dataDirOption())
    .exitOverride()
    .action(async (source: string, options: Options) => {
      const { imageLoad } = await import('./commands/image-load.ts');
      await imageLoad({ ...options, source });
    });
  add('test', 'the whole test suite, with all that it needs')
    .option('--only <parts>', 'some of: lint, unit, e2e', list)
    .argument('[files...]', 'only these test files')
    .action(async (files: string[], options: Options & { only?: string[] }) => {
      const { test } = await import('./commands/test.ts');
      process.exitCode = await test({ files, ...(options.only && { only: options.only }) });
    });
  addSnapshot(nkube);
  return nkube;
}

function addSnapshot(nkube: Command): void {
  const snapshot = nkube
    .command('store')
    .description("where the cluster's objects are kept")
    .exitOverride()
    .command('snapshot')
    .description('back up the objects of the cluster and bring them back')
    .exitOverride();
  const add = (name: string, description: string) =>
    snapshot
      .command(name)
      .description(description)
      .argument('<file>')
      .addOption(dataDirOption())
      .exitOverride();
  const commands = () => import('./commands/store-snapshot.ts');
  add('save', 'write all objects of the running cluster into a file')
    .option('--endpoints <url>', "store or etcd to save from (default: the cluster's)")
    .option('--cacert <file>', "CA that signed its certificate (default: the cluster's)")
    .option('--cert <file>', "certificate to show to it (default: the cluster's)")
    .option('--key <file>', "key of that certificate (default: the cluster's)")
    .action(async (file: string, { dataDir, ...flags }: Options & SaveFlags) => {
      process.exitCode = await (await commands()).snapshotSave(dataDir, file, flags);
    });
  add('status', 'check a file and tell what it holds').action(async (file: string) => {
    process.exitCode = await (await commands()).snapshotStatus(file);
  });
  add('restore', "make a file's objects those of the cluster, which must be down")
    .option(
      '--replace',
      'if there are objects already: put them aside, beside the data directory of the store',
    )
    .option('--skip-hash-check', "accept a file without a hash, copied from an etcd's data directory")
    .action(async (file: string, { dataDir, ...flags }: Options & RestoreFlags) => {
      process.exitCode = await (await commands()).snapshotRestore(dataDir, file, flags);
    });
}

const nkube = program();
try {
  // --data-dir may stand before the command too; the command's own wins.
  nkube.hook('preAction', (root, action) => {
    if (root.getOptionValueSource('dataDir') === 'cli' && action.getOptionValueSource('dataDir') !== 'cli')
      action.setOptionValue('dataDir', root.opts().dataDir);
  });
  await nkube.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (
    error instanceof UserError ||
    error instanceof ConfigError ||
    (error as Error).name === 'PkiError'
  ) {
    process.stderr.write(`nkube: ${(error as Error).message}\n`);
    process.exitCode = error instanceof UserError ? error.exitCode : 1;
  } else throw error;
}
