-- Says what the connection to the database is set to, as the connection itself reads it back.
-- prosody.ts waits for this line, and refuses a server that is less durable than the island.
module:hook_global("server-started", function ()
	for _, engine in pairs(module:shared("/*/sql/connections")) do
		engine:transaction(function ()
			local found = {};
			for _, pragma in ipairs({ "journal_mode", "synchronous" }) do
				for row in engine:select("PRAGMA " .. pragma .. ";") do
					table.insert(found, pragma .. "=" .. tostring(row[1]));
				end
			end
			module:log("info", "read back: %s", table.concat(found, " "));
		end);
	end
end);
