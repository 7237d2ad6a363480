"""Parts of the DeepTumorVQA adapter: prompts in, harness tools, strict answers out."""
