"""Rules: rulesets as immutable versions with dated activations, layouts and mappings among them; code tables."""
