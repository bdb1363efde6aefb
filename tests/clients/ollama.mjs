// Ollama's own client for JavaScript; its argument is the model, as for the programs in Python.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Modules are looked for beside the program unless somebody says where they are.
const found = createRequire(`${process.env.NODE_PATH}/`).resolve("ollama");
const { Ollama } = await import(pathToFileURL(found));

const [model] = process.argv.slice(2);
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const options = { temperature: 0, seed: 1, num_predict: 24 };
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [
  {
    type: "function",
    function: { name: "get_weather", description: "Weather of a place.", parameters: city },
  },
];

const say = (what, value) => console.log(JSON.stringify([what, value]));

const all = async (answer) => {
  const pieces = [];
  for await (const piece of await answer) pieces.push(piece);
  return pieces;
};

const failure = (work) => work.then(
  () => { throw new Error("there was an answer"); },
  (err) => [err.name, err.status_code, err.message],
);

const client = new Ollama({ host: process.env.OLLAMA_HOST });
say("whole", await client.chat({ model, messages, options }));
say("stream", await all(client.chat({ model, messages, options, stream: true })));
say("tools", await all(client.chat({ model, messages, options, tools, stream: true })));
say("generate", await client.generate({ model, prompt: "Once upon a time", options }));
say("format", await client.generate({ model, prompt: "Paris", options, format: city }));
say("models", (await client.list()).models.map((entry) => [entry.name, entry.digest]));
say("loaded", (await client.ps()).models.map((entry) => [entry.name, entry.digest]));
say("shown", (await client.show({ model })).capabilities);
say("failure", await failure(client.chat({ model: "no-such-model", messages })));
say("failure", await failure(client.chat({ model: "no-such-model", messages, stream: true })));
