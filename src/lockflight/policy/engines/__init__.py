"""The engines that evaluate Rego: regorus, OPA as a library or a program, and two that must agree.

Nouns: engine, library, mode, pool. An engine's library is loaded in its child process only.
"""
