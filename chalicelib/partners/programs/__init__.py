"""What partners' employees earn and spend: programs, their terms, periods and catalogues."""
