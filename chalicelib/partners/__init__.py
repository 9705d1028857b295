"""Partners: partners, their programs, members with dated history and identities, enrolments, onboarding."""
