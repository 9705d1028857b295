"""Operations: what administrators and operators see across all rooms: users, keys, audit, health, member timelines."""
