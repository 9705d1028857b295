// node rule_process.cjs ENGINE FOLDER-WITH-PACKAGES: one engine, told by lines of JSON as rule_process.py is.
// {"rule", "records"} loads; the other lines are the same.
const readline = require("node:readline");

const [engine, folder] = process.argv.slice(2);
const found = require(require.resolve(engine, { paths: [folder] }));
const BATCH = 1000;
const COMPILES = 15;

// Both ways: from a rule to a function of a record.
const compile = {
  "json-logic-js": (rule) => {
    found.add_operation("floor", Math.floor);
    return (record) => found.apply(rule, record);
  },
  "json-logic-engine": (rule) => {
    const logic = new found.LogicEngine();
    logic.addMethod("floor", ([number]) => Math.floor(number), { deterministic: true, sync: true });
    return logic.build(rule);
  },
}[engine];

let decide;
let records;
let next = 0;
let sink; // what is decided goes somewhere, so that it is not optimised away

function seconds(work) {
  const started = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

function answer(told) {
  if ("rule" in told) {
    const taken = Array.from({ length: COMPILES }, () => seconds(() => { decide = compile(told.rule); }));
    records = told.records;
    return { compile_ms: taken.sort((a, b) => a - b)[Math.floor(COMPILES / 2)] * 1000 };
  }
  if ("turn" in told) {
    const before = process.cpuUsage();
    const taken = Array.from({ length: told.turn }, () => {
      const batch = records.slice(next, next + BATCH);
      next = (next + BATCH) % records.length;
      return seconds(() => { for (const record of batch) sink = decide(record); });
    });
    const { user, system } = process.cpuUsage(before);
    return { seconds: taken, cpu_s: (user + system) / 1e6 };
  }
  if ("answers" in told) {
    return records.map((record) => decide(record));
  }
  return { peak_mb: Math.round(process.resourceUsage().maxRSS / 102.4) / 10 };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n");
});
