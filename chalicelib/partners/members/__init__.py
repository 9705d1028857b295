"""Partners' employees: rosters, dated history, identities, enrolments, and being forgotten."""
