import { setting, settingsOrExit } from '../src/config.ts';

const table = {
  port: setting<number>({ env: 'VOLLEY_PORT', type: 'int', default: 1, meaning: 'A port.' }),
  store: setting<string>({ env: 'VOLLEY_STORE', type: 'url', meaning: 'The store.' }),
};
const settings = settingsOrExit(table, process.env, process.argv);
process.stdout.write(`went on with ${settings.port}\n`);
