import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/** What a scenario has seen, by name, in the order of its steps; written as JSON. */
final class Results {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Object> seen = new LinkedHashMap<>();

    /** Notes the result of a step, or the error that it ended with. */
    void note(String step, Callable<?> action) {
        Object result;
        try {
            result = action.call();
        } catch (Exception error) {
            result = "error: " + cause(error).getClass().getSimpleName();
        }
        if (seen.put(step, result == null ? "done" : result) != null) {
            throw new IllegalStateException("the step '" + step + "' is noted twice");
        }
    }

    String json() throws JsonProcessingException {
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(seen);
    }

    private static Throwable cause(Throwable error) {
        return error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
    }
}
