"""The public contract, built and checked: a JSON Schema for every event version, AsyncAPI, OpenAPI, the glossary."""
