// Answers, a line of JSON for a line of JSON, what json-logic-js makes of [rule, data].
// The first argument is the folder in which the package is installed.
const readline = require("node:readline");
const jsonLogic = require(require.resolve("json-logic-js", { paths: [process.argv[2]] }));

jsonLogic.add_operation("log", (value) => value);
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [rule, data] = JSON.parse(line);
  let answer;
  try {
    const value = jsonLogic.apply(rule, data);
    answer = { value: value === undefined ? null : value };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
