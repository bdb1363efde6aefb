#!/bin/sh
# curl, as a README would have it: whole responses, header fields included.
set -eu
model=$1
messages='[{"role": "user", "content": "What is the weather in Paris?"}]'
options='{"temperature": 0, "seed": 1, "num_predict": 24}'

ask() { # PATH BODY
  curl --silent --show-error --no-buffer --include "$OLLAMA_HOST$1" --data "$2"
  echo
}

ask /api/chat "{\"model\": \"$model\", \"messages\": $messages, \"options\": $options}"
ask /api/chat "{\"model\": \"$model\", \"messages\": $messages, \"options\": $options, \"stream\": false}"
ask /api/generate "{\"model\": \"$model\", \"prompt\": \"Once\", \"options\": $options}"
ask /api/embed "{\"model\": \"$model\", \"input\": \"one\"}"
ask /v1/chat/completions "{\"model\": \"$model\", \"messages\": $messages, \"max_tokens\": 24, \"temperature\": 0, \"stream\": true}"
ask /v1/completions "{\"model\": \"$model\", \"prompt\": \"Once\", \"max_tokens\": 24, \"temperature\": 0}"
ask /v1/responses "{\"model\": \"$model\", \"input\": \"Once\", \"max_output_tokens\": 24, \"temperature\": 0, \"stream\": true}"
ask /v1/messages "{\"model\": \"$model\", \"messages\": $messages, \"max_tokens\": 24, \"temperature\": 0, \"stream\": true}"
ask /api/chat "{\"model\": \"no-such-model\", \"messages\": $messages}"
ask /api/chat "{\"model\": 7}"
ask /api/generate "no JSON"

seen() { # what of a response does not tell the time of day
  curl --silent --show-error --write-out '%{http_code} %{content_type} %header{allow}\n' "$@"
}
seen "$OLLAMA_HOST/"
seen --head --output /dev/null "$OLLAMA_HOST/"
seen "$OLLAMA_HOST/api/version"
seen --head --output /dev/null "$OLLAMA_HOST/api/tags"
seen "$OLLAMA_HOST/no/such/path"
seen "$OLLAMA_HOST/api/chat"
seen --request DELETE "$OLLAMA_HOST/api/generate"
seen "$OLLAMA_HOST/api/tags/"
seen --header 'Host: evil.example' "$OLLAMA_HOST/api/tags"
seen "$OLLAMA_HOST/v1/models/no-such-model"
seen "$OLLAMA_HOST/api/show" --data '{"model": "no-such-model"}'
seen "$OLLAMA_HOST/api/show" --data '{}'
